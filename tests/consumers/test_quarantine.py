import hashlib
import json
from pathlib import Path

import pytest

from broker.log import Record
from broker.quarantine import NotQuarantined, QuarantinedRecord, RecordId, Settled
from bucket import layout
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket
from bucket.filesystem import FilesystemBucket
from bucket.memory import MemoryBucket
from consumers.quarantine import BucketQuarantine


def _poison(partition: int, offset: int, reason: str = "garbage") -> QuarantinedRecord:
    record = Record(partition, offset, 1_700_000_000_000, b"tenant", b"\xff\x00", (("forebay-version", b"1"),))
    return QuarantinedRecord.of("log", record, reason)


def test_records_are_kept_whole_listed_in_order_and_dropped() -> None:
    quarantine = BucketQuarantine(MemoryBucket())
    for partition, offset in ((10, 3), (2, 11), (2, 9)):
        quarantine.put(_poison(partition, offset))
    assert list(quarantine.list()) == [RecordId("log", 2, 9), RecordId("log", 2, 11), RecordId("log", 10, 3)]
    assert quarantine.get(RecordId("log", 2, 9)) == _poison(2, 9)
    settled = Settled.of(_poison(2, 9), "dropped", 7)
    quarantine.settle(settled)
    quarantine.settle(settled)
    assert len(list(quarantine.list())) == 2
    with pytest.raises(NotQuarantined, match="offset=9"):
        quarantine.get(RecordId("log", 2, 9))


def test_a_second_put_of_a_place_changes_nothing() -> None:
    quarantine = BucketQuarantine(MemoryBucket())
    quarantine.put(_poison(0, 1))
    quarantine.put(_poison(0, 1, "another reason"))
    assert quarantine.get(RecordId("log", 0, 1)).reason == "garbage"


def test_what_was_settled_does_not_come_back(tmp_path: Path) -> None:
    for bucket in (MemoryBucket(), FilesystemBucket(tmp_path)):
        quarantine = BucketQuarantine(bucket)
        for offset in (1, 12):
            quarantine.put(_poison(0, offset))
        quarantine.settle(Settled.of(_poison(0, 1), "replayed", 7))
        quarantine.put(_poison(0, 1))  # a zombie's, or of a segment that is built again
        assert list(quarantine.list()) == [RecordId("log", 0, 12)]
        assert [info.key for info in bucket.list(layout.QUARANTINE)] == [
            layout.settled_key("log", 0, 1, "replayed"),
            layout.quarantine_key("log", 0, 12),
        ]


def test_what_stays_says_what_it_was() -> None:
    bucket = MemoryBucket()
    BucketQuarantine(bucket).settle(Settled.of(_poison(0, 1), "dropped", 7))
    assert json.loads(bucket.get(layout.settled_key("log", 0, 1, "dropped"))) == {
        "log_id": "log",
        "partition": 0,
        "offset": 1,
        "outcome": "dropped",
        "settled_at": 7,
        "reason": "garbage",
        "key": "dGVuYW50",
        "sha256": hashlib.sha256(b"\xff\x00").hexdigest(),
        "version": 1,
    }


def test_settling_may_be_cut_off_anywhere_and_is_finished() -> None:
    for step in range(2):
        kept = MemoryBucket()
        BucketQuarantine(kept).put(_poison(0, 1))
        BucketQuarantine(kept).put(_poison(0, 2))
        with pytest.raises(Crash):
            BucketQuarantine(FaultyBucket(kept, CrashAtWrite(step))).settle(Settled.of(_poison(0, 1), "dropped", 7))
        again = BucketQuarantine(kept)
        assert [each.offset for each in again.list()] == ([1, 2], [2])[step]
        assert again.get(RecordId("log", 0, 1)) == _poison(0, 1)  # nothing is gone without a tombstone
        again.settle(Settled.of(_poison(0, 1), "dropped", 9)) if step == 0 else again.finish_settled()
        assert again.finish_settled() == 0
        assert len(list(kept.list(layout.QUARANTINE))) == 2
