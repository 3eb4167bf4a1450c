"""Records of version 2 as the router makes them, against the oracles: which labels go, and what the rest says."""

import struct
from array import array
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import write_request_oracle as oracle
from tests.wire.labels_oracle import text_field, varint
from tests.wire.messages import Histogram, MetricMetadata, Sample, WriteRequest
from tests.wire.record_v2 import decode, encode, taught, written_out
from tests.wire.requests_v2 import as_v2
from tests.wire.test_replicas import HA
from tests.wire.test_replicas import requests as ha_requests
from tests.wire.test_write_request import MAX, MIN, PARTITIONS, SEED, request, requests, series
from wire.series_set import SeriesBudget, SeriesSet
from wire.write_request import Routed, Router
from wire.written_labels import WrittenLabels

R = 1_000_000
START = 1_700_000_000_000


def labels_of(partitions: int = PARTITIONS) -> WrittenLabels:
    return WrittenLabels(SeriesBudget(1 << 30), partitions, R)


def lasts(hashed: bytes) -> int:
    """For how long labels are left out after they were written."""
    return R * 11 // 16 + (hashed[15] * R >> 10)


@dataclass
class Log:
    """What a gateway knows, the slow way: by hash, the partition and append time of the newest labels."""

    known: dict[bytes, tuple[int, int]]
    now: int = START
    end: int = 0

    def left_out(self, hashed: bytes, partition: int) -> bool:
        place, when = self.known.get(hashed, (-1, 0))
        return place == partition and self.now - when < lasts(hashed)

    def appended(self, routed: Routed) -> list[tuple[int, int]]:
        start, self.end = self.end, self.end + len(routed.records)
        return [(offset, self.now) for offset in range(start, self.end)]

    def learn(self, routed: Routed) -> None:
        for partition, value in routed.records:
            for hashed in taught(decode(value), SEED):
                self.known[hashed] = (partition, self.now)


def sorted_entries(outcome: oracle.Outcome) -> dict[oracle.Place, list[Any]]:
    return {place: sorted(found) for place, found in outcome.entries.items()}


def check(routed: Routed, log: Log, every_label: dict[bytes, bytes]) -> None:
    """Labels stand where they must, and nowhere else; every form is the right one."""
    assert routed.labels is not None
    labelled = 0
    for partition, value in routed.records:
        record = decode(value)
        assert encode(record) == value
        labelled += len(record.labelled)
        for hashed in taught(record, SEED):
            assert not log.left_out(hashed, partition)
        for hashed in [row.hash for row in record.rows] + [hashed for hashed, _ in record.hashed]:
            assert log.left_out(hashed, partition)
            assert hashed in every_label
        assert (record.label_window is not None) == bool(record.rows or record.hashed)
        assert record.label_window in {None, R}
        for _, elements in record.hashed:  # a single float sample would be a row
            message = WriteRequest.FromString(text_field(1, elements)).timeseries[0]
            others = message.exemplars or message.histograms
            assert len(message.samples) != 1 or others or message.samples[0].start_timestamp
    assert routed.labels.labelled == labelled


steps = st.lists(
    st.tuples(st.sampled_from(["learned", "failed", "nowhere"]), st.integers(0, R // 3), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


def play(router: Router, bodies: list[bytes], played: Any, *, expect: Any, **options: Any) -> None:
    log, written = Log({}), labels_of()
    every_label: dict[bytes, bytes] = {}
    for number, (outcome, later, leave_out, v2) in enumerate(played):
        log.now += later
        body = bodies[number % len(bodies)]
        routed = router.route(
            as_v2(body) if v2 else body,
            SEED,
            MIN,
            MAX,
            message=2 if v2 else 1,
            written=written,
            log_now=log.now,
            leave_out=leave_out,
            **options,
        )
        if routed.labels is None:
            assert not body
            continue
        expected = expect(body)
        if not leave_out:
            assert all(not decode(value).rows and not decode(value).hashed for _, value in routed.records)
        else:
            check(routed, log, every_label)
        values = [(partition, written_out(decode(value), every_label, SEED)) for partition, value in routed.records]
        assert sorted_entries(oracle.read_records(values, routed.replicas)) == sorted_entries(expected)
        assert routed.rejected == dict(expected.rejected)
        assert (routed.series, routed.samples) == (expected.series, expected.samples)
        if outcome == "learned":
            assert routed.labels.learn(log.appended(routed)) == []
            log.learn(routed)
        elif outcome == "nowhere":
            relying = [n for n, (_, value) in enumerate(routed.records) if decode(value).label_window is not None]
            assert routed.labels.learn([(-1, -1)] * len(routed.records)) == relying
        for _, value in routed.records:
            every_label |= taught(decode(value), SEED)
    assert len(written) == len(log.known)


@settings(max_examples=120, deadline=None)
@given(st.lists(requests, min_size=1, max_size=3), steps)
def test_records_say_what_those_of_version_1_say(bodies: list[bytes], played: Any) -> None:
    bodies = [WriteRequest(timeseries=WriteRequest.FromString(body).timeseries).SerializeToString() for body in bodies]

    def expect(body: bytes) -> oracle.Outcome:
        return oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS)

    play(Router(PARTITIONS), bodies, played, expect=expect)


@settings(max_examples=100, deadline=None)
@given(st.lists(ha_requests, min_size=1, max_size=2), steps)
def test_records_of_replicas_too(bodies: list[bytes], played: Any) -> None:
    router = Router(PARTITIONS, cluster_label=HA[0].decode(), replica_label=HA[1].decode())

    def expect(body: bytes) -> oracle.Outcome:
        return oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS, ha=HA)

    play(router, bodies, played, expect=expect, name_replicas=True)


def routed_twice(body: bytes, **options: Any) -> tuple[Routed, Routed]:
    """Once with labels, which are learned, and once without."""
    log, written = Log({}), labels_of()
    router = Router(PARTITIONS, **options)
    first = router.route(body, SEED, MIN, MAX, written=written, log_now=START)
    assert first.labels is not None
    first.labels.learn(log.appended(first))
    return first, router.route(body, SEED, MIN, MAX, written=written, log_now=START)


@settings(deadline=None)
@given(requests.filter(bool), st.integers(200, 400))
def test_small_records_keep_their_limit(body: bytes, limit: int) -> None:
    first, second = routed_twice(body, max_record_bytes=limit)
    known = {hashed: run for _, value in first.records for hashed, run in taught(decode(value), SEED).items()}
    assert all(len(value) <= limit for _, value in second.records)
    assert (second.samples, second.rejected) == (first.samples, first.rejected)
    values = [(partition, written_out(decode(value), known, SEED)) for partition, value in second.records]
    samples = [sorted(sample_set(records)) for records in (first.records, values)]
    assert samples[0] == samples[1]


def sample_set(records: list[tuple[int, bytes]]) -> list[tuple[int, bytes, bytes]]:
    found = []
    for (place, _), entries in oracle.read_records(records, {}).entries.items():
        for run, *kinds in entries:
            found += [(place, run, message) for messages in kinds for message in messages]
    return found


def test_metadata_stays_and_rows_hold_what_they_should() -> None:
    family = MetricMetadata(type=1, metric_family_name=b"up", help=b"Help.")
    stale = b"\x09" + struct.pack("<Q", 0x7FF0000000000002) + b"\x10" + varint(1500)
    started = Sample(value=1, timestamp=1500, start_timestamp=3)
    odd = series(job="odd")
    odd.samples.append(started)
    two = series(1500, 1501, job="two")
    body = request(series(1500, job="a"), odd, two, metadata=[family]) + text_field(
        1, series(job="stale").SerializeToString() + text_field(2, stale)
    )
    first, second = routed_twice(body)
    assert all(decode(value).labelled or decode(value).metadata for _, value in first.records)
    records = [decode(value) for _, value in second.records]
    assert [each for record in records for each in record.metadata] == [family.SerializeToString()]
    rows = [row for record in records for row in record.rows]
    assert {row.bits for row in rows} == {struct.unpack("<Q", struct.pack("<d", 1.5))[0], 0x7FF0000000000002}
    assert {row.timestamp for row in rows} == {1500}
    assert sum(len(record.hashed) for record in records) == 2
    assert not any(record.labelled for record in records)


def test_a_histogram_keeps_its_bytes() -> None:
    entry = series(job="h")
    entry.histograms.append(Histogram(count_int=1, sum=1, schema=0, zero_count_int=1, timestamp=1500))
    _, second = routed_twice(request(entry))
    ((_, value),) = second.records
    ((_, elements),) = decode(value).hashed
    assert elements == text_field(4, entry.histograms[0].SerializeToString())


def test_series_beyond_the_limit_of_active_ones_are_not_learned() -> None:
    written = labels_of()
    active = SeriesSet(SeriesBudget(1 << 20), 0, limit=2)
    body = request(*(series(1500, job=str(n)) for n in range(5)), metadata=[MetricMetadata(metric_family_name=b"up")])
    router = Router(PARTITIONS)
    for left in (2, 0):
        routed = router.route(body, SEED, MIN, MAX, active=active, written=written, log_now=START)
        assert routed.labels is not None
        assert (routed.samples, routed.rejected) == (2, {"active_series": 3})
        assert routed.labels.labelled == left
        routed.labels.learn([(number, START) for number in range(len(routed.records))])


def test_a_table_of_another_number_of_partitions_is_refused() -> None:
    with pytest.raises(ValueError, match="partitions=4"):
        Router(PARTITIONS).route(request(series(1500)), SEED, MIN, MAX, written=labels_of(4))


def test_a_series_that_moved_has_its_labels() -> None:
    written, body = labels_of(), request(series(1500, job="a"))
    router = Router(PARTITIONS)
    for shard, labelled in (([1], 1), ([2], 1), ([2], 0)):
        routed = router.route(body, SEED, MIN, MAX, shard=array("i", shard), written=written, log_now=START)
        assert routed.labels is not None
        assert routed.labels.labelled == labelled
        routed.labels.learn([(7, START)])
