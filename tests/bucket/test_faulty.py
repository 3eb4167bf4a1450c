from pathlib import Path

import pytest

from bucket.bucket import Bucket, BucketUnavailable, ObjectNotFound, PreconditionFailed
from bucket.faulty import Crash, CrashAtWrite, Fault, FaultyBucket, Outcome, SeededFaults
from bucket.memory import MemoryBucket
from tests.bucket.contract import BucketContract


class TestFaultyBucketWithoutFaults(BucketContract):
    @pytest.fixture
    def bucket(self) -> Bucket:
        return FaultyBucket(MemoryBucket(), SeededFaults(1, {}))


class Always:
    def __init__(self, fault: Fault, delay: float = 0.0) -> None:
        self._outcome = Outcome(fault, delay)

    def next(self, operation: str, key: str) -> Outcome:
        return self._outcome


def test_a_failed_write_did_nothing() -> None:
    inner = MemoryBucket()
    with pytest.raises(BucketUnavailable):
        FaultyBucket(inner, Always("fail")).create("k", b"data")
    with pytest.raises(ObjectNotFound):
        inner.get("k")


def test_a_lost_answer_is_of_a_write_that_was_done() -> None:
    inner = MemoryBucket()
    with pytest.raises(BucketUnavailable):
        FaultyBucket(inner, Always("lose_answer")).create("k", b"data")
    assert inner.get("k") == b"data"
    with pytest.raises(PreconditionFailed):
        inner.create("k", b"data")


def test_a_torn_write_leaves_half(tmp_path: Path) -> None:
    inner = MemoryBucket()
    source = tmp_path / "f"
    source.write_bytes(b"12345678")
    faulty = FaultyBucket(inner, Always("tear"))
    with pytest.raises(BucketUnavailable):
        faulty.put_file("f", source)
    with pytest.raises(BucketUnavailable):
        faulty.put("k", b"data")
    assert (inner.get("f"), inner.get("k")) == (b"1234", b"da")


def test_a_delay_comes_first() -> None:
    slept: list[float] = []
    with pytest.raises(BucketUnavailable):
        FaultyBucket(MemoryBucket(), Always("fail", 1.5), sleep=slept.append).get("k")
    assert slept == [1.5]


def test_the_same_seed_is_the_same_plan() -> None:
    def outcomes(seed: int) -> list[Outcome]:
        plan = SeededFaults(seed, {"fail": 0.3, "lose_answer": 0.2}, max_delay=1)
        return [plan.next("put", "k") for _ in range(200)]

    assert outcomes(7) == outcomes(7)
    assert outcomes(7) != outcomes(8)
    faults = [outcome.fault for outcome in outcomes(7)]
    assert {faults.count(fault) > 10 for fault in ("none", "fail", "lose_answer")} == {True}


def test_after_a_crash_nothing_is_done() -> None:
    inner = MemoryBucket()
    faulty = FaultyBucket(inner, CrashAtWrite(1))
    faulty.put("a", b"")
    faulty.get("a")
    for _ in range(2):
        with pytest.raises(Crash):
            faulty.put("b", b"")
    with pytest.raises(Crash):
        faulty.get("a")
    assert [info.key for info in inner.list("")] == ["a"]
