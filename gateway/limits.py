"""What one tenant may send: every limit, frozen and strict. Durations in ms, sizes in bytes; 0 is no limit."""

from typing import Final

import msgspec

from forebay.units import Duration, Size
from gateway.reasons import RATE_LIMITED, REQUEST_TOO_LARGE
from gateway.relabel import RelabelRule

BURST_SECONDS: Final = 10
"""How many seconds' samples a tenant may send at once, where its burst is not set."""
KERNEL_SHADOWS: Final = {
    "max_age": "out_of_bounds_past",
    "max_future": "out_of_bounds_future",
    "max_label_pairs": "too_many_labels",
    "max_label_name_bytes": "label_name_too_long",
    "max_label_value_bytes": "label_value_too_long",
    "max_series_per_request": "too_many_series",
    "max_samples_per_request": "too_many_samples",
    "max_exemplars_per_request": "too_many_exemplars",
    "max_histogram_buckets": "too_many_buckets",
    "max_active_series": "active_series",
}
"""Limits that the router judges, and the reason that they count for."""
_COUNTS: Final = tuple(name for name in KERNEL_SHADOWS if name not in {"max_age", "max_future", "max_label_pairs"})
_MOST: Final = (1 << 31) - 1
SHADOWS: Final = {**KERNEL_SHADOWS, "samples_per_second": RATE_LIMITED, "max_request_bytes": REQUEST_TOO_LARGE}
"""Limits that can be set to only count, and the reason that they count for."""


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What a tenant may send. Offending samples are answered with 400, and the others are stored.

    A request beyond `samples_per_second` is answered with 429, one beyond `max_request_bytes` with 413; nothing of them
    is stored.
    """

    max_age: Duration = Duration.parse("7d")
    """How far a sample may lie before the gateway's clock."""
    max_future: Duration = Duration.parse("10m")
    """How far a sample may lie behind the gateway's clock."""
    max_label_pairs: int = 1024
    """Labels of one series."""
    max_label_name_bytes: int = 0
    """Of one label's name."""
    max_label_value_bytes: int = 0
    """Of one label's value."""
    max_series_per_request: int = 0
    """Series entries; the first so many are stored."""
    max_samples_per_request: int = 0
    """Samples and histograms; the first so many are stored."""
    max_exemplars_per_request: int = 0
    """The first so many are stored."""
    max_histogram_buckets: int = 0
    """Buckets, or custom bounds, of one native histogram."""
    max_active_series: int = 0
    """Series that were written lately; new ones beyond it are refused."""
    max_request_bytes: Size = Size(0)
    """Of a body as it comes."""
    samples_per_second: float = 0
    """Of all gateways of a Kafka log together."""
    samples_burst: int = 0
    """Samples that may come at once; 0 is ten seconds' worth."""
    shard_size: int = 0
    """Partitions of the log that the tenant's series are spread over; 0 is all of them."""
    relabel: tuple[RelabelRule, ...] = ()
    """Rules carried out on every series before its labels are judged."""
    ha: bool | None = None
    """Whether HA pairs are deduplicated; none leaves that to `ha.tenants`. Consumers must know that some may be."""
    shadow: tuple[str, ...] = ()
    """Limits that only count what they would refuse."""

    def __post_init__(self) -> None:
        if self.max_age < 0 or self.max_future < 0:
            raise ValueError("max_age and max_future must be at least 0")
        if not 1 <= self.max_label_pairs <= 1024:
            raise ValueError("max_label_pairs must be within 1 and 1024")
        if not (0 <= self.samples_per_second <= 1e12 and 0 <= self.samples_burst <= 1e12):
            raise ValueError("samples_per_second and samples_burst must be at least 0")
        if self.max_request_bytes < 0 or self.shard_size < 0:
            raise ValueError("max_request_bytes and shard_size must be at least 0")
        for name in _COUNTS:
            if not 0 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} must be at least 0, and at most {_MOST}")
        for name in self.shadow:
            if name not in SHADOWS:
                raise ValueError(f"shadow must name limits that can only count: {', '.join(SHADOWS)} (got {name!r})")

    @property
    def shadow_reasons(self) -> tuple[str, ...]:
        """What the router only counts."""
        return tuple(KERNEL_SHADOWS[name] for name in self.shadow if name in KERNEL_SHADOWS)

    @property
    def burst(self) -> float:
        """Samples that may come at once."""
        return self.samples_burst or max(1.0, BURST_SECONDS * self.samples_per_second)

    def is_shadow(self, limit: str) -> bool:
        """Whether this limit only counts."""
        return limit in self.shadow
