"""Damaged files: what is sound comes out, what is lost has a name, and what cannot go on says how to."""

# ruff: noqa: ASYNC221 - nothing else runs on the event loop while a test waits for a process

import os
import subprocess
from pathlib import Path

import pytest

from broker.log import LogCorrupt, NewRecord, Record
from tests.broker.conftest import EmbeddedHarness
from tests.broker.contract import Recorder, poll_all, read_all, values

LOST = "lost with a damaged page or row of the log"


async def fill(harness: EmbeddedHarness, count: int, size: int = 100) -> list[bytes]:
    """`count` records in partitions 0 and 1, a millisecond apart; closed, so that all of it is in the database."""
    body = [f"value-{n:06d}-".encode() + os.urandom(size) for n in range(count)]
    writer = await harness.writer()
    for n in range(0, count, 10):
        await writer.append([NewRecord(p, f"tenant-{n}".encode(), value) for value in body[n : n + 10] for p in (0, 1)])
        harness.clock.now += 1
    await writer.close()
    return body


def damage(directory: Path, wanted: bytes, new: bytes, *, page: bool = False, shift: int = 0) -> None:
    """Overwrites what follows `wanted`'s first place, or the beginning of the page that holds it."""
    database = directory / "log.db"
    data = bytearray(database.read_bytes())
    place = data.index(wanted) + shift
    if page:
        place -= place % int.from_bytes(data[16:18], "big")
    data[place : place + len(new)] = new
    database.write_bytes(data)


def lost(records: list[Record]) -> list[int]:
    return [record.offset for record in records if record.damaged]


async def test_a_damaged_value_keeps_its_place_and_tenant(harness: EmbeddedHarness) -> None:
    body = await fill(harness, 20, size=40_000)
    sound = read_all(harness.reader(), 0)
    damage(harness.directory, body[7][100:150], b"\x00\x01\x02")
    records = read_all(harness.reader(), 0) + read_all(harness.reader(), 1)
    (damaged,) = [record for record in records if record.damaged]
    assert damaged == sound[7]._replace(partition=damaged.partition, value=b"", damaged=damaged.damaged)
    assert damaged.damaged == "value does not match its checksum"
    assert len(records) == 40


async def test_a_damaged_field_is_dated_by_the_next_record(harness: EmbeddedHarness) -> None:
    await fill(harness, 20)
    damage(harness.directory, b"tenant-0", b"T")
    reader = harness.reader()
    partition = next(p for p in (0, 1) if lost(read_all(reader, p)))
    records = read_all(reader, partition)
    (offset,) = lost(records)
    assert records[offset] == Record(partition, offset, records[offset + 1].append_time, b"", b"", (), LOST)
    assert [record.offset for record in records] == list(range(20))


async def test_a_damaged_page_is_stepped_over(harness: EmbeddedHarness) -> None:
    body = await fill(harness, 3000)
    damage(harness.directory, body[1500], b"\x99" * 8, page=True)
    reader = harness.reader()
    partition = next(p for p in (0, 1) if lost(read_all(reader, p)))
    records = read_all(reader, partition)
    gone = lost(records)
    assert 1500 in gone
    assert len(gone) < 200
    assert gone == list(range(gone[0], gone[-1] + 1))
    assert [record.offset for record in records] == list(range(3000))
    assert all(records[n].value == body[n] for n in range(3000) if n not in gone)
    assert values(read_all(reader, 1 - partition)) == body
    # The same from wherever reading begins, and in whatever portions: a segment's bytes hang on it.
    for offset in (gone[0] - 1, gone[0], gone[3], gone[-1], gone[-1] + 1):
        assert read_all(reader, partition, offset, max_bytes=3000) == records[offset:]


async def test_a_subscription_goes_past_damage(harness: EmbeddedHarness) -> None:
    body = await fill(harness, 2000)
    damage(harness.directory, body[1000], b"\x99" * 8, page=True)
    records = poll_all(harness.subscription("group", Recorder()), 4000, max_bytes=10_000)
    assert 0 < len([record for record in records if record.damaged]) < 200
    assert {(record.partition, record.offset) for record in records} == {(p, n) for p in (0, 1) for n in range(2000)}


async def test_a_damaged_newest_record_waits_for_its_date(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    await writer.append([NewRecord(0, b"t", b"one"), NewRecord(0, b"tip-of-it", b"two")])
    await writer.close()
    damage(harness.directory, b"tip-of-it", b"T")
    reader = harness.reader()
    assert values(read_all(reader, 0)) == [b"one"]
    assert reader.read(0, 1, 1000) == []
    harness.clock.now += 5
    writer = await harness.writer()
    await writer.append([NewRecord(0, b"t", b"three")])
    assert read_all(reader, 0)[1] == Record(0, 1, harness.clock.now, b"", b"", (), LOST)
    assert read_all(reader, 0)[2].value == b"three"


async def test_a_damaged_first_page_says_how_to_go_on(harness: EmbeddedHarness) -> None:
    await fill(harness, 10)
    damage(harness.directory, b"SQLite format 3", b"something else.")
    with pytest.raises(LogCorrupt, match="start again with a new log"):
        harness.reader()
    with pytest.raises(LogCorrupt, match="start again with a new log"):
        await harness.writer()


async def test_an_unreadable_partition_leaves_the_others(harness: EmbeddedHarness) -> None:
    body = await fill(harness, 20)
    damage(harness.directory, body[3], b"\x99" * 8, page=True)  # few records: the leaf is the table's root
    reader = harness.reader()
    # Tables were made in order, so the page that was found first is partition 0's.
    assert values(read_all(reader, 1)) == body
    with pytest.raises(LogCorrupt, match=r"partition=0 offset=0 .*hint: stop every process"):
        reader.read(0, 0, 1000)
    with pytest.raises(LogCorrupt, match="hint: stop every process"):
        await harness.writer()


@pytest.mark.parametrize("tail", ["torn", "garbage"])
async def test_a_torn_tail_of_the_wal_costs_only_what_was_not_synced(harness: EmbeddedHarness, tail: str) -> None:
    writer = await harness.writer()
    body = [os.urandom(5_000) for _ in range(10)]
    for value in body:
        await writer.append([NewRecord(0, b"t", value)])
    # What a power cut leaves: the files as they are, without the index of the WAL. By another process, since closing
    # a file of SQLite's in this one would take away its locks.
    copy = EmbeddedHarness(harness.directory.parent / "copy")
    copy.directory.mkdir()
    subprocess.run(["cp", harness.directory / "log.db", harness.directory / "log.db-wal", copy.directory], check=True)
    with (copy.directory / "log.db-wal").open("r+b") as wal:
        end = wal.seek(0, os.SEEK_END)
        if tail == "torn":
            wal.truncate(end - 100)
        else:
            wal.write(os.urandom(40_000))
    expected = body[:-1] if tail == "torn" else body
    assert values(read_all(copy.reader(), 0)) == expected
    after = await copy.writer()
    await after.append([NewRecord(0, b"t", b"after")])
    assert values(read_all(copy.reader(), 0)) == [*expected, b"after"]
    await copy.close()
