from typing import Any

import msgspec
import pytest

from broker import record
from broker.settings import BrokerSettings
from bucket import manifest
from bucket.manifest import HaRecipe
from consumers.recipe import make_recipe
from consumers.settings import SLACK, WINDOW, BoundSettings, ConsumerSettings, SegmentSettings
from forebay.errors import Fatal
from forebay.units import Duration, Size


def _units(kind: type, text: Any) -> Any:
    return kind.parse(text) if kind in {Duration, Size} else text


def test_operators_write_units() -> None:
    found = msgspec.convert({"interval": "20s", "max_bytes": "64MiB"}, SegmentSettings, dec_hook=_units)
    assert (found.interval, found.grace, found.max_bytes) == (20_000, 30_000, 64 << 20)


@pytest.mark.parametrize("wrong", [{"interval": "0s"}, {"max_bytes": "0"}, {"intervall": "20s"}, {"interval": 20}])
def test_wrong_segment_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((msgspec.ValidationError, TypeError)):
        msgspec.convert(wrong, SegmentSettings, dec_hook=_units)


@pytest.mark.parametrize(
    "wrong",
    [{"group": ""}, {"build_threads": 0}, {"retry_min": "0s"}, {"retry_min": "1m"}, {"memory": "0"}, {"group_id": "x"}],
)
def test_wrong_consumer_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ConsumerSettings, dec_hook=_units)


def test_a_replica_is_a_group_of_its_own() -> None:
    assert ConsumerSettings().group_id == "forebay"
    assert ConsumerSettings(replica="b").group_id == "forebay-b"


def test_bounds_are_wider_than_the_gateways() -> None:
    assert BoundSettings.wider_than(1000, 2000) == BoundSettings(
        max_age=Duration(1000 + SLACK), max_future=Duration(2000 + SLACK)
    )
    assert BoundSettings.wider_than(Duration.parse("7d"), Duration.parse("10m")) == BoundSettings()


def test_the_bounds_leave_room_for_every_window_they_allow() -> None:
    bounds = BoundSettings()
    assert (bounds.max_age + bounds.max_future) // WINDOW + 2 <= bounds.max_windows


def test_every_setting_that_decides_bytes_changes_the_recipes_digest() -> None:
    segment, bounds = SegmentSettings(), BoundSettings()
    recipes = [
        make_recipe(segment, bounds, {}, "tenant_id"),
        make_recipe(segment, bounds, {}, "tenant"),
        make_recipe(segment, bounds, {"cluster": "eu1"}, "tenant_id"),
        make_recipe(SegmentSettings(interval=Duration(1)), bounds, {}, "tenant_id"),
        make_recipe(SegmentSettings(max_bytes=Size(1)), bounds, {}, "tenant_id"),
        make_recipe(segment, BoundSettings(max_age=Duration(1)), {}, "tenant_id"),
        make_recipe(segment, BoundSettings(max_future=Duration(1)), {}, "tenant_id"),
        make_recipe(segment, BoundSettings(max_windows=1), {}, "tenant_id"),
        make_recipe(segment, bounds, {}, "tenant_id", HaRecipe(1, 1)),
        make_recipe(segment, bounds, {}, "tenant_id", HaRecipe(2, 1)),
        make_recipe(segment, bounds, {}, "tenant_id", HaRecipe(1, 2)),
        make_recipe(segment, bounds, {}, "tenant_id", label_window=1),
    ]
    assert len({recipe.digest() for recipe in recipes}) == len(recipes)
    assert make_recipe(SegmentSettings(grace=Duration(1)), bounds, {}, "tenant_id") == recipes[0]


def test_the_label_window_has_one_default() -> None:
    """Recipes leave it out where it is that one: their digests are older than it."""
    assert int(BrokerSettings().label_window) == record.LABEL_WINDOW == manifest.LABEL_WINDOW
    recipe = make_recipe(SegmentSettings(), BoundSettings(), {}, "tenant_id", label_window=manifest.LABEL_WINDOW)
    assert b"label_window" not in msgspec.json.encode(recipe)
    assert recipe.looks_back == 2 * manifest.LABEL_WINDOW
    assert msgspec.structs.replace(recipe, label_window=5).looks_back == 10


def test_an_external_label_may_not_hide_the_tenant() -> None:
    with pytest.raises(Fatal, match="tenant_id"):
        make_recipe(SegmentSettings(), BoundSettings(), {"tenant_id": "x"}, "tenant_id")
