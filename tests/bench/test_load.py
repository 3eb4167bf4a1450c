"""The load is what its settings say, as protobuf's own runtime reads it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import snappy

from bench.load import SCRAPE_INTERVAL_MS, Load, bodies
from bench.values import SHAPES, Shape
from tests.wire.messages import WriteRequest
from tests.wire.messages_v2 import Request

NOW_MS = 1_763_715_600_000
Labels = tuple[tuple[bytes, bytes], ...]


def read(load: Load) -> list[list[tuple[Labels, Any]]]:
    """Requests of (labels, series)."""
    out = []
    for body in bodies(load, NOW_MS):
        data = snappy.decompress(body)
        if load.message == 1:
            request = WriteRequest()
            request.ParseFromString(data)
            out.append([(tuple((each.name, each.value) for each in one.labels), one) for one in request.timeseries])
        else:
            request = Request()
            request.ParseFromString(data)
            texts = [request.symbols[ref] for one in request.timeseries for ref in one.labels_refs]
            per = len(request.timeseries[0].labels_refs)
            sets = [texts[at : at + per] for at in range(0, len(texts), per)]
            pairs = [tuple(zip(texts[::2], texts[1::2], strict=True)) for texts in sets]
            out.append(list(zip(pairs, request.timeseries, strict=True)))
    return out


def series(load: Load) -> list[Labels]:
    return [labels for request in read(load) for labels, _ in request]


@pytest.mark.parametrize("message", [1, 2])
@pytest.mark.parametrize("values", SHAPES)
def test_each_series_has_one_sample_a_scrape(message: int, values: Shape) -> None:
    load = Load(1200, 3, 500, message=message, values=values)
    requests = read(load)
    assert [len(request) for request in requests] == [500, 500, 200] * 3
    found: dict[Labels, list[Any]] = {}
    for request in requests:
        for labels, one in request:
            (point,) = one.histograms if values == "histogram" else one.samples
            found.setdefault(labels, []).append(point)
    assert len(found) == 1200
    for labels, points in found.items():
        assert list(labels) == sorted(set(labels))
        assert [b.timestamp - a.timestamp for a, b in pairwise(points)] == [SCRAPE_INTERVAL_MS] * 2


def test_values_have_the_shape_they_are_asked_for() -> None:
    def values(shape: Shape) -> list[Sequence[float]]:
        flat = [one.samples[0].value for request in read(Load(50, 20, values=shape)) for _, one in request]
        return [flat[at::50] for at in range(50)]

    assert all(len(set(each)) == 1 for each in values("constant"))
    assert all(list(each) == sorted(each) and len(set(each)) > 10 for each in values("counter"))
    assert all(value == int(value) for each in values("ints") for value in each)
    assert any(b < a for each in values("walk") for a, b in pairwise(each))


def test_histograms_count_what_their_buckets_hold() -> None:
    for request in read(Load(30, 5, values="histogram")):
        for _, one in request:
            (histogram,) = one.histograms
            counts, last = [], 0
            for delta in histogram.positive_deltas:
                last += delta
                counts.append(last)
            assert sum(span.length for span in histogram.positive_spans) == len(counts)
            assert min(counts) >= 0
            assert sum(counts) == histogram.count_int > 0
            assert histogram.sum > 0


@pytest.mark.parametrize("labels", [4, 5, 10, 40])
def test_series_are_as_many_whatever_number_of_labels_they_have(labels: int) -> None:
    found = series(Load(2000, 1, labels=labels))
    assert {len(each) for each in found} == {labels}
    assert len(set(found)) == 2000


def test_fewer_labels_than_tell_series_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 4 labels"):
        Load(10, 1, labels=3)


def test_churn_replaces_its_share_of_the_series_and_ends_the_others() -> None:
    """A sixteenth of an hour at 1600 % an hour: every target's pod goes once."""
    load = Load(2000, 16, 1000, churn=16.0)
    scrapes = [set[Labels]() for _ in range(load.scrapes)]
    for number, request in enumerate(read(load)):
        scrapes[number // load.requests_per_scrape].update(labels for labels, _ in request)
    assert {len(each) for each in scrapes} == {2000}
    assert len(set().union(*scrapes)) == 4000
    assert not scrapes[0] & scrapes[-1]
    assert len(set().union(*(a - b for a, b in pairwise(scrapes)))) == 2000


def test_a_pair_sends_the_same_twice_and_says_who_it_is() -> None:
    requests = read(Load(700, 2, 500, replicas=2))
    assert len(requests) == 2 * 2 * 2
    ours, theirs = ([request for at, request in enumerate(requests) if at // 2 % 2 == who] for who in (0, 1))
    for mine, other in zip(ours, theirs, strict=True):
        for (labels, one), (labels_b, one_b) in zip(mine, other, strict=True):
            assert dict(labels)[b"__replica__"] == b"a"
            assert dict(labels_b) == dict(labels) | {b"__replica__": b"b"}
            assert one.samples == one_b.samples


def test_tenants_have_their_own_series_and_take_turns() -> None:
    load = Load(600, 2, 50, tenants=3)
    of_tenants = [set[Labels]() for _ in range(3)]
    requests = read(load)
    assert len(requests) == load.requests_per_scrape * 2 == 24
    for number, request in enumerate(requests):
        of_tenants[number % 3].update(labels for labels, _ in request)
    assert [len(each) for each in of_tenants] == [200] * 3
    assert len(set().union(*of_tenants)) == 600
    with pytest.raises(ValueError, match="cannot be shared out evenly"):
        Load(10, 1, tenants=3)
