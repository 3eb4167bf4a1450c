"""HA pairs on their way in: whose record it is, and labels without the one that says so."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import write_request_oracle as oracle
from tests.wire.labels_oracle import label_fields, text_field
from tests.wire.messages import Label, Sample, TimeSeries, WriteRequest
from tests.wire.test_write_request import MAX, MIN, PARTITIONS, SEED, exemplars, histograms, request, samples, written
from wire.write_request import Routed, Router

HA = (b"cluster", b"__replica__")


def route(body: bytes, *, ha: oracle.HaLabels = HA, partitions: int = PARTITIONS, **options: Any) -> Routed:
    router = Router(partitions, cluster_label=ha[0].decode(), replica_label=ha[1].decode(), **options)
    return router.route(body, SEED, MIN, MAX, name_replicas=True)


def series(**labels: str) -> Any:
    """Labels in the order they are given."""
    pairs = [Label(name=name.encode(), value=value.encode()) for name, value in labels.items()]
    return TimeSeries(labels=pairs, samples=[Sample(value=1.5, timestamp=1500)])


names = st.sampled_from([b"__name__", b"__replica__", b"cluster", b"job", b"z", b"__replica__x", b"c", b"", b"\xff"])
values = st.sampled_from([b"a", b"b", b"", "é".encode(), b"x" * 256, b"x" * 257, b"\xff"])
pairs = st.lists(st.tuples(names, values), max_size=5)
good_pairs = st.dictionaries(
    st.sampled_from([b"__replica__", b"cluster", b"job", b"z", b"A"]), st.sampled_from([b"a", b"b", b"c"])
).map(lambda found: sorted({**found, b"__name__": b"up"}.items()))


def _entry(drawn: tuple[list[tuple[bytes, bytes]], list[Any], list[Any], list[Any]]) -> Any:
    labels = [Label(name=name, value=value) for name, value in drawn[0]]
    return TimeSeries(labels=labels, samples=drawn[1], exemplars=drawn[2], histograms=drawn[3])


entries = st.tuples(
    good_pairs | good_pairs.map(lambda found: found[::-1]) | pairs.map(lambda found: [(b"__name__", b"up"), *found]),
    st.lists(samples, max_size=3),
    st.lists(exemplars, max_size=1),
    st.lists(histograms, max_size=1),
).map(_entry)
requests = st.builds(WriteRequest, timeseries=st.lists(entries, max_size=8)).map(lambda each: each.SerializeToString())


@settings(max_examples=300, deadline=None)
@given(requests, st.sampled_from([HA, (b"job", b"z"), (b"cluster", b"A")]))
def test_records_hold_what_the_oracle_says(body: bytes, ha: oracle.HaLabels) -> None:
    routed = route(body, ha=ha)
    expected = oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS, ha=ha)
    found = oracle.read_records(routed.records, routed.replicas)
    assert found.entries == expected.entries
    assert routed.rejected == dict(expected.rejected)
    assert (routed.series, routed.samples) == (expected.series, expected.samples)
    assert (routed.histograms, routed.exemplars) == (expected.histograms, expected.exemplars)
    assert routed.unnamed == 0


@settings(deadline=None)
@given(requests)
def test_where_it_is_off_nothing_is_different(body: bytes) -> None:
    router = Router(PARTITIONS, cluster_label="cluster", replica_label="__replica__")
    assert router.route(body, SEED, MIN, MAX) == Router(PARTITIONS).route(body, SEED, MIN, MAX)


@settings(deadline=None)
@given(requests)
def test_a_record_routed_again_stays_where_and_as_it_is(body: bytes) -> None:
    for partition, record in route(body).records:
        again = route(record)
        assert (again.records, again.replicas, again.rejected) == ([(partition, record)], {}, {})


@settings(deadline=None)
@given(requests, st.integers(700, 900))
def test_small_records_keep_their_limit_and_their_replica(body: bytes, limit: int) -> None:
    whole, split = route(body), route(body, max_record_bytes=limit)
    assert all(len(record) <= limit for _, record in split.records)
    if "series_too_large" not in split.rejected:
        places = [set(oracle.read_records(each.records, each.replicas).entries) for each in (whole, split)]
        assert places[0] == places[1]
        assert split.samples == whole.samples


@pytest.mark.parametrize("labels", [{"__name__": "up", "cluster": "eu"}, {"cluster": "eu", "__name__": "up"}])
def test_both_replicas_of_a_series_become_the_same_bytes(labels: dict[str, str]) -> None:
    routed = route(request(*(series(**labels, __replica__=name) for name in "ab")), partitions=1)
    assert routed.replicas == {0: ("eu", "a"), 1: ("eu", "b")}
    assert routed.records[0] == routed.records[1]
    assert [label.name for label in written(routed)[0].labels] == [b"__name__", b"cluster"]


def test_a_request_of_many_is_split_by_cluster_and_replica() -> None:
    named = [series(__name__="up", __replica__=name, cluster=cluster) for cluster in ("eu", "us") for name in "ab"]
    routed = route(request(*named, series(__name__="up", cluster="eu"), *named), partitions=1)
    assert [len(WriteRequest.FromString(record).timeseries) for _, record in routed.records] == [2, 2, 2, 2, 1]
    assert routed.replicas == {0: ("eu", "a"), 1: ("eu", "b"), 2: ("us", "a"), 3: ("us", "b")}
    assert (routed.series, routed.samples) == (9, 9)


@pytest.mark.parametrize(
    "labels",
    [
        {"__name__": "up", "__replica__": "a"},
        {"__name__": "up", "__replica__": "a", "cluster": ""},
        {"__name__": "up", "cluster": "eu"},
        {"__name__": "up", "__replica__": "a", "cluster": "x" * 257},
        {"__name__": "up", "__replica__": "x" * 257, "cluster": "eu"},
    ],
)
def test_a_series_that_names_no_replica_stays_as_it_is(labels: dict[str, str]) -> None:
    routed = route(request(series(**labels)))
    assert routed.replicas == {}
    (entry,) = written(routed)
    assert dict.fromkeys(labels, "") | {each.name.decode(): each.value.decode() for each in entry.labels} == labels


def test_a_label_behind_the_samples_is_found_too() -> None:
    run = label_fields([(b"__name__", b"up"), (b"cluster", b"eu")])
    body = text_field(1, run + text_field(2, b"\x10\xdc\x0b") + label_fields([(b"__replica__", b"a")]))
    routed = route(body, partitions=1)
    assert routed.replicas == {0: ("eu", "a")}
    assert routed.records == [(0, text_field(1, run + text_field(2, b"\x10\xdc\x0b")))]


def test_more_replicas_than_can_be_told_apart_are_stored_unnamed() -> None:
    routed = route(request(*(series(__name__="up", __replica__="a", cluster=f"c{n}") for n in range(300))))
    assert len(set(routed.replicas.values())) == 256
    assert routed.unnamed == 300 - 256
    assert (routed.samples, routed.rejected) == (300, {})
    assert all(len(entry.labels) == 2 for entry in written(routed))


def test_a_refused_series_is_shown_as_it_was_sent() -> None:
    body = request(TimeSeries(labels=series(__name__="up", __replica__="a", cluster="eu").labels, samples=[Sample()]))
    assert route(body).examples[0].series == '{__name__="up", __replica__="a", cluster="eu"}'


@pytest.mark.parametrize(("cluster", "replica"), [("", "a"), ("a", ""), ("a", "a"), ("cluster", "__name__")])
def test_labels_that_name_no_replica_are_refused(cluster: str, replica: str) -> None:
    with pytest.raises(ValueError, match="labels of a replica"):
        Router(1, cluster_label=cluster, replica_label=replica)
