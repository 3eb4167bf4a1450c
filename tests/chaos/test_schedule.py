"""The plan of a storm: repeatable, complete, and never two events at once for one target."""

import pytest

from tests.chaos.cluster import Cast
from tests.chaos.events import _DEEDS
from tests.chaos.schedule import KINDS, LONG, SLICE, schedule

CASTS = [Cast(), Cast(compactors=1), Cast(gateways=1, consumers=1, replicas=0)]


@pytest.mark.parametrize("cast", CASTS)
def test_a_seed_says_it_all(cast: Cast) -> None:
    assert schedule(7, cast, LONG) == schedule(7, cast, LONG)
    assert schedule(7, cast, LONG) != schedule(8, cast, LONG)
    assert len(schedule(7, cast, LONG)) == 200


@pytest.mark.parametrize("cast", CASTS)
def test_each_kind_that_the_cast_allows_comes(cast: Cast) -> None:
    for tempo in (SLICE, LONG):
        kinds = {event.kind for event in schedule(3, cast, tempo)}
        missing = KINDS.keys() - kinds - tempo.without
        assert all(name.startswith("compactor") for name in missing)
        assert not missing or not cast.compactors


def test_a_long_storm_has_its_long_outages() -> None:
    events = schedule(3, Cast(), LONG)
    assert max(event.seconds for event in events if event.kind == "broker gone") == 60
    assert max(event.seconds for event in events if event.kind == "store gone") == 120


def test_each_kind_can_befall_a_cluster() -> None:
    assert KINDS.keys() == _DEEDS.keys()
