"""Series are hashed and routed some at a time: each must come to where it would come alone."""

import random
from typing import Any

import mmh3
import pytest

from tests.wire.labels_oracle import canonical
from tests.wire.messages import Label, MetricMetadata, Sample, TimeSeries, WriteRequest
from tests.wire.requests_v2 import request_v2
from tests.wire.test_hashing import slow_jump
from tests.wire.test_write_request import MAX, MIN, SEED, request
from wire.series_set import SeriesBudget, SeriesSet
from wire.write_request import Routed, Router

PAST = 0


def _series(rng: random.Random, number: int) -> Any:
    """Of any length; of some all samples are refused, others are not canonical, or of a replica."""
    labels = {b"__name__": b"up", b"number": b"%d" % number, b"z": b"x" * rng.randrange(1, 200)}
    if not rng.randrange(5):
        labels |= {b"cluster": b"eu", b"__replica__": b"a"}
    pairs = sorted(labels.items(), reverse=not rng.randrange(5))
    time = PAST if not rng.randrange(5) else 1500
    return TimeSeries(
        labels=[Label(name=name, value=value) for name, value in pairs], samples=[Sample(value=1, timestamp=time)]
    )


def _partition(series: Any, partitions: int) -> int:
    pairs = [(label.name, label.value) for label in series.labels if label.name != b"__replica__"]
    low, _ = mmh3.hash64(canonical(pairs), SEED, x64arch=True, signed=False)
    return slow_jump(low, partitions)


def _where(routed: Routed) -> dict[bytes, int]:
    found = {}
    for partition, record in routed.records:
        for series in WriteRequest.FromString(record).timeseries:
            found.update({label.value: partition for label in series.labels if label.name == b"number"})
    return found


@pytest.mark.parametrize("partitions", [1, 2, 16, 17, 256, 5000])
@pytest.mark.parametrize("message", [1, 2])
@pytest.mark.parametrize("limit", [0, 1000])
def test_each_comes_to_where_it_would_come_alone(partitions: int, message: int, limit: int) -> None:
    rng = random.Random(partitions)
    router = Router(partitions, cluster_label="cluster", replica_label="__replica__")
    active = SeriesSet(SeriesBudget(1 << 20), 0, limit=limit) if limit else None
    for count in (1, 2, 15, 16, 17, 100):
        made = [_series(rng, number) for number in range(count)]
        body = request(*made)
        if message == 2:
            body = request_v2(*made, metadata=MetricMetadata(type=1)).SerializeToString()
        routed = router.route(body, SEED, MIN, MAX, message=message, name_replicas=True, active=active)
        good = [series for series in made if series.samples[0].timestamp != PAST]
        number = {next(label.value for label in series.labels if label.name == b"number"): series for series in good}
        assert _where(routed) == {name: _partition(series, partitions) for name, series in number.items()}
        assert routed.series == len(good)


def test_active_series_are_those_that_were_routed() -> None:
    """The hashes that a limit is asked for are those of the series, not of their neighbours."""
    rng = random.Random(1)
    made = [_series(rng, number) for number in range(100)]
    good = [series for series in made if series.samples[0].timestamp != PAST]
    active = SeriesSet(SeriesBudget(1 << 20), 0, limit=len(good))
    for _ in range(2):
        routed = Router(16).route(request(*made), SEED, MIN, MAX, active=active)
        assert (routed.series, routed.rejected) == (len(good), {"out_of_bounds_past": len(made) - len(good)})
    for series in rng.sample(good, 10):
        assert Router(16).route(request(series), SEED, MIN, MAX, active=active).series == 1
    other = TimeSeries(labels=[Label(name=b"__name__", value=b"other")], samples=[Sample(timestamp=1500)])
    assert Router(16).route(request(other), SEED, MIN, MAX, active=active).rejected == {"active_series": 1}
