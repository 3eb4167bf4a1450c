"""The recipe of a consumer's blocks, out of its settings."""

from collections.abc import Mapping

from msgspec import UNSET

from bucket.manifest import LABEL_WINDOW, HaRecipe, Recipe
from consumers.settings import WINDOW, BoundSettings, SegmentSettings
from forebay.errors import Fatal

BUILDER_VERSION = 1
"""Raised with every change of heads, block writer or meta.json that changes bytes."""


def make_recipe(
    segment: SegmentSettings,
    bounds: BoundSettings,
    external_labels: Mapping[str, str],
    tenant_label: str,
    ha: HaRecipe | None = None,
    *,
    label_window: int = LABEL_WINDOW,
) -> Recipe:
    """`ha` is None where no HA pair is deduplicated.

    Raises Fatal where an external label has the tenant label's name: tenants could not be told apart.
    """
    if tenant_label in external_labels:
        raise Fatal(
            f"external label has the tenant label's name: label={tenant_label}",
            hint="rename it in external_labels, or set tenancy.label",
        )
    return Recipe(
        builder=BUILDER_VERSION,
        external_labels=dict(external_labels),
        tenant_label=tenant_label,
        window=int(WINDOW),
        segment_interval=int(segment.interval),
        segment_max_bytes=int(segment.max_bytes),
        max_age=int(bounds.max_age),
        max_future=int(bounds.max_future),
        max_windows=bounds.max_windows,
        ha=UNSET if ha is None else ha,
        label_window=UNSET if label_window == LABEL_WINDOW else label_window,
    )
