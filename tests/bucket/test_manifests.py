import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucket.bucket import Bucket, BucketUnavailable, ObjectInfo
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket, SeededFaults
from bucket.filesystem import FilesystemBucket
from bucket.layout import manifest_key
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from bucket.rollups import ManifestCorrupt
from tests.bucket.contract import racing
from tests.bucket.manifests import make_chain, make_manifest


class Counting(MemoryBucket):
    """Counts requests, and listed keys."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.listed = 0

    def get(self, key: str) -> bytes:
        self.requests.append("get")
        return super().get(key)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        self.requests.append("list")
        for info in super().list(prefix, start_after):
            self.listed += 1
            yield info


def stored(bucket: Bucket, manifests: list[Manifest]) -> ManifestStore:
    store = ManifestStore(bucket)
    for manifest in manifests:
        assert store.create(manifest) == manifest
    return store


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
def test_whoever_creates_first_decides(kind: str, tmp_path: Path) -> None:
    bucket = MemoryBucket() if kind == "memory" else FilesystemBucket(tmp_path)
    candidates = [make_manifest(0, 10 + n) for n in range(16)]
    said: dict[int, Manifest] = {}

    def create(number: int) -> None:
        said[number] = ManifestStore(bucket).create(candidates[number])

    assert racing(16, create) == [None] * 16
    standing = ManifestStore(bucket).get("log", 0, 0)
    assert standing in candidates
    assert list(said.values()) == [standing] * 16


def test_an_attempt_whose_answer_was_lost_is_found_done() -> None:
    inner = MemoryBucket()
    manifest = make_manifest(0, 10)
    faulty = ManifestStore(FaultyBucket(inner, SeededFaults(1, {"lose_answer": 1.0})))
    with pytest.raises(BucketUnavailable):
        faulty.create(manifest)
    assert ManifestStore(inner).create(manifest) == manifest


def test_what_is_not_there_is_none() -> None:
    store = ManifestStore(MemoryBucket())
    assert store.get("log", 0, 0) is None
    assert store.last("log", 0) is None
    assert store.last("log", 0, 12345678) is None
    assert list(store.chain("log", 0)) == []
    assert list(store.partitions()) == []


def test_partitions_are_in_order() -> None:
    bucket = MemoryBucket()
    for log_id, partition in [("b", 10), ("b", 9), ("a", 2)]:
        ManifestStore(bucket).create(make_manifest(0, 1, log_id=log_id, partition=partition))
    bucket.put("forebay/segments/a/not-a-partition/x", b"")
    assert list(ManifestStore(bucket).partitions()) == [("a", 2), ("b", 9), ("b", 10)]


@pytest.mark.parametrize("length", [1, 10, 100_000, 5_000_000])
def test_the_end_of_a_long_chain_costs_few_requests(length: int) -> None:
    bucket = Counting()
    chain = make_chain(1500, length)
    store = stored(bucket, chain)
    bucket.requests.clear()
    assert store.last("log", 0, chain[-1].end) == chain[-1]
    assert len(bucket.requests) <= 5
    if length >= 100_000:
        bucket.listed = 0
        store.last("log", 0, chain[-1].end)
        assert bucket.listed <= 100


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 200_000), max_size=30),
    st.none() | st.integers(0, 10_000_000) | st.integers(2**62, 2**63 - 1),
)
def test_no_hint_makes_a_wrong_answer(lengths: list[int], hint: int | None) -> None:
    bucket = MemoryBucket()
    chain: list[Manifest] = []
    for length in lengths:
        start = chain[-1].end if chain else 0
        chain.append(make_manifest(start, start + length))
    store = stored(bucket, chain)
    assert store.last("log", 0, hint) == (chain[-1] if chain else None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (make_manifest(0, 10).encode()[:-30], "cannot be read"),
        (b'{"version": 1}', "cannot be read"),
        (b'{"version": 2, "novel": true}', "newer format .*upgrade"),
        (make_manifest(10, 20).encode(), "not the one its key names"),
        (make_manifest(0, 10, partition=1).encode(), "not the one its key names"),
        (make_manifest(0, 0).encode(), "not the one its key names"),
    ],
)
def test_a_corrupt_manifest_stops_with_its_key(data: bytes, message: str) -> None:
    bucket = MemoryBucket()
    key = manifest_key("log", 0, 0)
    bucket.put(key, data)
    for read in (lambda s: s.get("log", 0, 0), lambda s: s.last("log", 0), lambda s: list(s.chain("log", 0))):
        with pytest.raises(ManifestCorrupt, match=message) as caught:
            read(ManifestStore(bucket))
        assert key in str(caught.value)
        assert caught.value.hint


def rolled(bucket: Bucket, keep: int = 3, size: int = 4) -> int:
    return ManifestStore(bucket).roll_up("log", 0, keep=keep, size=size)


def test_a_rolled_up_chain_reads_as_before() -> None:
    bucket = MemoryBucket()
    chain = make_chain(20)
    store = stored(bucket, chain)
    assert rolled(bucket) == 0  # made, but nothing is removed while a reader may be on its way
    assert list(store.chain("log", 0)) == chain
    assert rolled(bucket) == 16
    assert rolled(bucket) == 0
    assert len(list(bucket.list("forebay/segments/"))) == 4
    assert len(list(bucket.list("forebay/rollups/"))) == 4
    assert list(store.chain("log", 0)) == chain
    assert [store.get("log", 0, m.start) for m in chain] == chain
    assert store.get("log", 0, 5) is None
    assert store.get_many("log", 0, range(200)) == {m.start: m for m in chain}
    assert store.last("log", 0) == chain[-1]
    assert list(store.partitions()) == [("log", 0)]


def test_the_newest_are_never_rolled_up() -> None:
    bucket = MemoryBucket()
    stored(bucket, make_chain(10))
    for _ in range(3):
        rolled(bucket, keep=1, size=1)
    assert [info.key for info in bucket.list("forebay/segments/")] == [manifest_key("log", 0, 90)]
    with pytest.raises(ValueError, match="newest manifest must stay"):
        rolled(bucket, keep=0)


def test_a_late_builder_adopts_what_was_rolled_up() -> None:
    """Its manifest's key is free again, but the chain has long decided."""
    bucket = MemoryBucket()
    chain = make_chain(12)
    store = stored(bucket, chain)
    rolled(bucket)
    rolled(bucket)
    late = make_manifest(20, 27)
    assert store.create(late) == chain[2]
    inside = make_manifest(25, 27)
    assert store.create(inside) == chain[2]
    assert list(store.chain("log", 0)) == chain


def test_a_late_builder_that_dies_in_between_changes_nothing() -> None:
    bucket = MemoryBucket()
    chain = make_chain(12)
    store = stored(bucket, chain)
    rolled(bucket)
    rolled(bucket)
    with pytest.raises(Crash):
        ManifestStore(FaultyBucket(bucket, CrashAtWrite(1))).create(make_manifest(20, 27))
    assert list(store.chain("log", 0)) == chain
    assert store.get("log", 0, 20) == chain[2]
    rolled(bucket)
    assert [info.key for info in bucket.list("forebay/segments/")] == [
        manifest_key("log", 0, n) for n in (80, 90, 100, 110)
    ]


def test_a_roll_up_may_die_anywhere() -> None:
    chain = make_chain(20)
    quiet = MemoryBucket()
    stored(quiet, chain)
    rolled(quiet)
    rolled(quiet)
    expected = {info.key: quiet.get(info.key) for info in quiet.list("")}
    for step in range(30):
        bucket = MemoryBucket()
        store = stored(bucket, chain)
        plan = CrashAtWrite(step)
        try:
            rolled(FaultyBucket(bucket, plan))
            rolled(FaultyBucket(bucket, plan))
        except Crash:
            assert list(store.chain("log", 0)) == chain
            assert store.last("log", 0, 200) == chain[-1]
        rolled(bucket)
        rolled(bucket)
        assert {info.key: bucket.get(info.key) for info in bucket.list("")} == expected
    assert not plan.reached


def test_many_roll_up_at_once_while_the_chain_grows_and_is_read() -> None:
    bucket = MemoryBucket()
    chain = make_chain(300)
    store = stored(bucket, chain[:100])
    stop = threading.Event()
    seen: list[list[Manifest]] = []

    def act(number: int) -> None:
        if number == 0:
            for manifest in chain[100:]:
                assert ManifestStore(bucket).create(manifest) == manifest
            stop.set()
        elif number == 1:
            while not stop.is_set() or not seen:
                seen.append(list(ManifestStore(bucket).chain("log", 0)))
        else:
            pick = random.Random(number)
            while not stop.is_set():
                rolled(bucket, keep=3 + pick.randrange(3), size=4)

    assert racing(5, act) == [None] * 5
    assert seen
    assert all(read == chain[: len(read)] and len(read) >= 100 for read in seen)
    assert list(store.chain("log", 0)) == chain


def test_a_broken_chain_is_not_rolled_up() -> None:
    bucket = MemoryBucket()
    stored(bucket, [manifest for manifest in make_chain(20) if manifest.start != 20])
    rolled(bucket)
    assert list(bucket.list("forebay/rollups/")) == []


def test_a_corrupt_roll_up_stops_with_its_key() -> None:
    bucket = MemoryBucket()
    store = stored(bucket, make_chain(12))
    rolled(bucket)
    rolled(bucket)
    (first, *_) = [info.key for info in bucket.list("forebay/rollups/")]
    tree = msgspec.json.decode(bucket.get(first))
    del tree["manifests"][1]
    for data in (b"{}", msgspec.json.encode(tree)):
        bucket.put(first, data)
        for read in (lambda s: list(s.chain("log", 0)), lambda s: s.get("log", 0, 0)):
            with pytest.raises(ManifestCorrupt, match=first):
                read(ManifestStore(bucket))
    assert store.last("log", 0) is not None
