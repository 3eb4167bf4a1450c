"""Exemplars and metadata: what comes in comes out, once, and never more memory than allowed."""

import struct
from pathlib import Path
from typing import Any

import pytest

from bucket.memory import MemoryBucket
from consumers.annotations import Annotations
from consumers.exemplars import Exemplar, Exemplars
from consumers.head import HOLDS_EXEMPLARS, HOLDS_METADATA, Bounds, Head
from consumers.metadata import FamilyMetadata, Metadata
from tests.consumers.head_oracle import Entry, named
from tests.consumers.memory_log import MemoryLog
from tests.consumers.records_v2 import hashed, of_version_2
from tests.consumers.rehearsal import START, Rehearsal, one
from tests.wire import record_v2
from tests.wire.labels_oracle import text_field, varint
from tests.wire.messages import MetricMetadata, WriteRequest
from tests.wire.record_v2 import RecordV2
from tsdb.matcher import Matcher, MatchType
from wire.hashing import tenant_seed

NOW = 1_700_006_400_000
EVERY = (-(1 << 62), 1 << 62)


def series(request: Any, *, name: str = "requests_total", job: str = "a") -> Any:
    entry = request.timeseries.add()
    entry.labels.add(name=b"__name__", value=name.encode())
    entry.labels.add(name=b"job", value=job.encode())
    return entry


def exemplar(entry: Any, trace: str, value: float = 1.0, timestamp: int = NOW) -> None:
    added = entry.exemplars.add(value=value, timestamp=timestamp)
    added.labels.add(name=b"trace_id", value=trace.encode())


def record(*traces: str, timestamp: int = NOW, job: str = "a") -> bytes:
    request = WriteRequest()
    entry = series(request, job=job)
    for number, trace in enumerate(traces):
        exemplar(entry, trace, timestamp=timestamp + number)
    value: bytes = request.SerializeToString()
    return value


def traces(exemplars: Exemplars, *matchers: Matcher) -> list[str]:
    return [
        value.decode()
        for found in exemplars.select(matchers, *EVERY)
        for each in found.exemplars
        for _, value in each.labels
    ]


def test_exemplars_come_back_whole() -> None:
    request = WriteRequest()
    entry = series(request)
    entry.samples.add(value=3, timestamp=NOW)
    exemplar(entry, "later", 2.5, NOW + 5)
    exemplar(entry, "sooner", -0.0, NOW - 5)
    bare = series(request, job="b").exemplars.add(value=float("inf"))
    assert not bare.labels
    kept = Exemplars(1 << 16)
    kept.take(request.SerializeToString())
    first, second = kept.select([], *EVERY)
    assert first.labels == ((b"__name__", b"requests_total"), (b"job", b"a"))
    assert first.exemplars == [
        Exemplar(((b"trace_id", b"sooner"),), -0.0, NOW - 5),
        Exemplar(((b"trace_id", b"later"),), 2.5, NOW + 5),
    ]
    assert struct.pack(">d", first.exemplars[0].value) == struct.pack(">d", -0.0)
    assert second.exemplars == [Exemplar((), float("inf"), 0)]
    assert kept.kept == 3


def test_they_are_selected_by_matchers_and_time() -> None:
    kept = Exemplars(1 << 16)
    kept.take(record("1", "2", "3"))
    kept.take(record("4", job="b"))
    assert traces(kept, Matcher(MatchType.EQUAL, b"job", b"b")) == ["4"]
    assert traces(kept, Matcher(MatchType.REGEX, b"job", b"a|c")) == ["1", "2", "3"]
    (found,) = kept.select([Matcher(MatchType.EQUAL, b"job", b"a")], NOW + 1, NOW + 1)
    assert [each.timestamp for each in found.exemplars] == [NOW + 1]


def test_what_is_sent_again_is_there_once() -> None:
    kept = Exemplars(1 << 16)
    for _ in range(3):
        kept.take(record("1"))
    assert kept.kept == 1
    for _ in range(3):
        kept.take(record("1", "2"))  # kept again, since the last one is another: read once all the same
    assert traces(kept) == ["1", "2"]


@pytest.mark.parametrize("capacity", [4096, 5000, 1 << 14])
def test_the_oldest_make_room(capacity: int) -> None:
    kept = Exemplars(capacity)
    names = [f"trace-{number}" for number in range(1000)]
    for number, name in enumerate(names):
        kept.take(record(name, timestamp=NOW + number))
        assert kept.memory_bytes <= capacity + 8192
        assert traces(kept)[-1] == name
    left = traces(kept)
    assert left == names[-len(left) :]
    assert kept.kept == len(left) > capacity // 4 // 120
    assert kept.kept + kept.evicted == 1000


def test_one_that_is_too_large_is_counted() -> None:
    kept = Exemplars(4096)
    kept.take(record("1"))
    kept.take(record("x" * 1500))
    assert kept.unfit == 1
    assert traces(kept) == ["1"]


def test_bytes_that_are_no_record_do_no_harm() -> None:
    kept = Exemplars(4096)
    whole = record("1", "2")
    for end in range(len(whole)):
        kept.take(whole[:end])
        Metadata(4096).take(whole[:end])
    broken = WriteRequest()
    series(broken)
    kept.take(broken.SerializeToString()[:-1] + b"\x1a\x02\x09\x01")
    assert set(traces(kept)) <= {"1", "2"}


def family(name: str, text: str = "", *, kind: int = 1, unit: str = "") -> bytes:
    request = WriteRequest()
    request.metadata.append(
        MetricMetadata(type=kind, metric_family_name=name.encode(), help=text.encode(), unit=unit.encode())
    )
    value: bytes = request.SerializeToString()
    return value


def test_metadata_by_family_the_last_first() -> None:
    kept = Metadata(1 << 16)
    kept.take(family("b", "old", unit="seconds"))
    kept.take(family("a", kind=99))
    kept.take(family("b", "new", kind=2))
    assert kept.families() == {
        "a": [FamilyMetadata("unknown", "", "")],
        "b": [FamilyMetadata("gauge", "new", ""), FamilyMetadata("counter", "old", "seconds")],
    }
    kept.take(family("b", "old", unit="seconds"))
    assert kept.families()["b"][0].help == "old"
    assert kept.kept == 3


def test_families_that_were_not_sent_for_longest_go() -> None:
    kept = Metadata(4096)
    for number in range(200):
        kept.take(family(f"family_{number}"))
        kept.take(family("sent_always"))
    assert kept.memory_bytes <= 4096
    assert kept.kept + kept.evicted == 201
    assert "sent_always" in kept.families()
    assert "family_199" in kept.families()


def test_tenants_are_apart_and_the_quietest_is_forgotten() -> None:
    annotations = Annotations(exemplar_bytes=4096, metadata_bytes=4096, memory=40_000)
    for number in range(100):
        annotations.take("busy", record(f"{number}"), HOLDS_EXEMPLARS)
        annotations.take(f"tenant-{number}", record("x") + family("a"), HOLDS_EXEMPLARS | HOLDS_METADATA)
        assert annotations.memory_bytes <= 40_000
        assert annotations.memory_bytes == sum(each.memory_bytes for _, each in annotations.tenants())
    assert annotations.of("tenant-0") is None
    newest = annotations.of("tenant-99")
    assert newest is not None
    assert traces(newest.exemplars) == ["x"]
    assert list(newest.metadata.families()) == ["a"]
    assert annotations.tenants_forgotten + len(annotations) == 101
    assert annotations.of("busy") is not None


def test_a_head_says_what_a_record_holds() -> None:
    head = Head(seed=7, window_ms=7_200_000, bounds=Bounds(max_age=1 << 40, max_future=1 << 40, max_windows=3))
    plain = WriteRequest()
    series(plain).samples.add(value=1, timestamp=NOW)
    assert head.append(plain.SerializeToString(), NOW) == 0
    assert head.append(record("1"), NOW) == HOLDS_EXEMPLARS
    assert head.append(family("a"), NOW) == HOLDS_METADATA
    assert head.append(record("1") + family("a"), NOW) == HOLDS_EXEMPLARS | HOLDS_METADATA
    assert head.counts.exemplars == head.counts.metadata == 2


def test_exemplars_and_metadata_are_counted_and_kept(tmp_path: Path) -> None:
    world = Rehearsal(MemoryLog(), MemoryBucket(), tmp_path)
    request = WriteRequest()
    request.ParseFromString(one(START, 1, job="a"))
    request.timeseries[0].exemplars.add(value=1, timestamp=START).labels.add(name=b"trace_id", value=b"abc")
    request.metadata.add(type=1, metric_family_name=b"up", help=b"Whether it is.")
    value = request.SerializeToString()
    world.log.append(0, value, START)
    world.run()
    (manifest,) = world.chain()
    assert (manifest.ledger["tenant"].exemplars, manifest.ledger["tenant"].metadata) == (1, 1)
    kept = world.consumer.annotations.of("tenant")
    assert kept is not None
    assert len(kept.exemplars.select([], START, START)) == 1
    assert list(kept.metadata.families()) == ["up"]
    assert world.metric("annotated_tenants") == 1


def test_exemplars_of_series_that_are_named_by_hash_have_their_labels(tmp_path: Path) -> None:
    world = Rehearsal(MemoryLog(), MemoryBucket(), tmp_path)
    entry, seed = Entry(named(job="a"), [(START, 1)]), tenant_seed(b"tenant")
    world.log.append(0, of_version_2([entry], seed=seed), START, version=2)
    name, elements = hashed(entry, seed)
    elements += text_field(3, b"\x11" + struct.pack("<d", 2.5) + b"\x18" + varint(START))
    value = record_v2.encode(RecordV2(label_window=1, hashed=((name, elements),)))
    world.log.append(0, value, START, version=2)
    world.run()
    kept = world.consumer.annotations.of("tenant")
    assert kept is not None
    (found,) = kept.exemplars.select([], START, START)
    assert found == (entry.labels, [Exemplar((), 2.5, START)])
