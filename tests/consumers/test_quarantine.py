import pytest

from broker.log import Record
from broker.quarantine import NotQuarantined, QuarantinedRecord, RecordId
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
    quarantine.drop(RecordId("log", 2, 9))
    quarantine.drop(RecordId("log", 2, 9))
    assert len(list(quarantine.list())) == 2
    with pytest.raises(NotQuarantined, match="offset=9"):
        quarantine.get(RecordId("log", 2, 9))


def test_a_second_put_of_a_place_changes_nothing() -> None:
    quarantine = BucketQuarantine(MemoryBucket())
    quarantine.put(_poison(0, 1))
    quarantine.put(_poison(0, 1, "another reason"))
    assert quarantine.get(RecordId("log", 0, 1)).reason == "garbage"
