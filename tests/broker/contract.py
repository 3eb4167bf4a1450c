"""What every log does. An implementation's tests inherit `LogContract` and give it a `harness` fixture."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Protocol

import pytest

from broker.log import Listener, LogReader, LogWriter, NewRecord, Record, Subscription
from forebay.errors import InvalidData

PARTITIONS = 4
MANY = 1 << 20


class Harness(Protocol):
    """One log of PARTITIONS partitions, not yet open."""

    async def writer(self) -> LogWriter: ...

    def reader(self) -> LogReader: ...

    def subscription(self, group: str, listener: Listener) -> Subscription: ...


class Recorder:
    """A listener that starts at the beginning, or where it is told to, and remembers what it was told."""

    def __init__(self, starts: dict[int, int] | None = None) -> None:
        self.starts = starts or {}
        self.assignments: list[tuple[int, ...]] = []
        self.revocations: list[tuple[int, ...]] = []

    def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        self.assignments.append(tuple(partitions))
        return {partition: self.starts.get(partition, 0) for partition in partitions}

    def revoked(self, partitions: Sequence[int]) -> None:
        self.revocations.append(tuple(partitions))

    def lost(self, partitions: Sequence[int]) -> None:
        raise AssertionError(f"lost {partitions}")


def read_all(reader: LogReader, partition: int, offset: int = 0, max_bytes: int = MANY) -> list[Record]:
    records: list[Record] = []
    while batch := reader.read(partition, offset, max_bytes):
        records += batch
        offset = batch[-1].offset + 1
    return records


def poll_all(subscription: Subscription, count: int, max_bytes: int = MANY) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        batch = subscription.poll(5.0, max_bytes)
        assert batch, f"only {len(records)} of {count} records came"
        records += batch
    return records


def values(records: Sequence[Record]) -> list[bytes]:
    return [record.value for record in records]


async def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is another thread's
            await asyncio.sleep(0.01)


def gather(awaitables: Sequence[Awaitable[object]]) -> "asyncio.Future[list[object]]":
    return asyncio.gather(*awaitables)


class LogContract:
    async def test_gives_back_what_was_appended_in_order(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        await writer.append(
            [
                NewRecord(1, b"tenant", b"first", (("forebay-version", b"1"), ("other", b"\x00\xff"))),
                NewRecord(0, b"", b""),
                NewRecord(1, b"\x00key", b"abc" * 50_000),
            ]
        )
        await writer.append([NewRecord(1, b"tenant", b"last")])
        records = read_all(reader, 1)
        assert [(r.key, r.value, r.headers, r.damaged) for r in records] == [
            (b"tenant", b"first", (("forebay-version", b"1"), ("other", b"\x00\xff")), ""),
            (b"\x00key", b"abc" * 50_000, (), ""),
            (b"tenant", b"last", (), ""),
        ]
        assert values(read_all(reader, 0)) == [b""]
        assert read_all(reader, 2) == []
        for before, after in pairwise(records):
            assert after.offset > before.offset

    async def test_says_where_each_record_lies(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        assert await writer.append([]) == []
        appends = [[NewRecord(p, b"t", f"{n}-{p}".encode()) for p in (2, 0, 2, 3)] for n in range(10)]
        places = await asyncio.gather(*(writer.append(records) for records in appends))
        found = {(r.partition, r.offset): r for p in range(PARTITIONS) for r in read_all(reader, p)}
        for records, appended in zip(appends, places, strict=True):
            for record, place in zip(records, appended, strict=True):
                stored = found.pop((record.partition, place.offset))
                assert (stored.value, stored.append_time) == (record.value, place.append_time)
        assert not found

    async def test_takes_any_bytes_like_value(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        body = bytes(range(256)) * 20
        for value in (bytearray(body), memoryview(body), memoryview(body)[7:]):
            await writer.append([NewRecord(0, b"t", value)])  # type: ignore[arg-type]
        assert values(read_all(reader, 0)) == [body, body, body[7:]]

    async def test_log_id_and_partitions_are_the_same_for_all(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        subscription = harness.subscription("group", Recorder())
        assert writer.log_id
        assert writer.log_id == reader.log_id == subscription.log_id
        assert writer.partitions == reader.partitions == PARTITIONS

    async def test_offsets_bound_what_is_there(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        assert reader.start_offset(3) == reader.end_offset(3)
        await writer.append([NewRecord(3, b"t", b"x")] * 3)
        records = read_all(reader, 3)
        assert reader.start_offset(3) == records[0].offset
        assert reader.end_offset(3) == records[-1].offset + 1
        assert reader.read(3, reader.end_offset(3), MANY) == []
        assert values(reader.read(3, records[1].offset, MANY)) == [b"x", b"x"]

    async def test_offsets_are_found_by_append_time(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        subscription = harness.subscription("group", Recorder())
        assert reader.offset_for_time(1, 0) == reader.end_offset(1)
        for _ in range(5):
            await writer.append([NewRecord(1, b"t", b"x")] * 3)
            await asyncio.sleep(0.003)
        records = read_all(reader, 1)
        end = reader.end_offset(1)
        for time in {0, *(record.append_time + step for record in records for step in (-1, 0, 1))}:
            first = next((record.offset for record in records if record.append_time >= time), end)
            assert reader.offset_for_time(1, time) == subscription.offset_for_time(1, time) == first

    async def test_read_is_bounded_by_bytes_but_gives_one(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        await writer.append([NewRecord(0, b"t", bytes([n]) * 1000) for n in range(10)])
        assert len(reader.read(0, 0, 1)) == 1
        assert len(reader.read(0, 0, 3500)) == 3
        assert values(read_all(reader, 0, max_bytes=2500)) == [bytes([n]) * 1000 for n in range(10)]

    async def test_concurrent_appends_are_each_whole(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        await gather([writer.append([NewRecord(p, b"t", f"{n}".encode()) for p in range(4)]) for n in range(40)])
        for partition in range(4):
            assert sorted(values(read_all(reader, partition))) == sorted(f"{n}".encode() for n in range(40))
        assert writer.backlog_bytes() == 0

    async def test_a_cancelled_append_leaves_the_writer_well(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        gone = asyncio.ensure_future(writer.append([NewRecord(0, b"t", b"gone")]))
        await asyncio.sleep(0)
        gone.cancel()
        await writer.append([NewRecord(0, b"t", b"stays")])
        assert values(read_all(reader, 0))[-1] == b"stays"
        await wait_for(lambda: writer.backlog_bytes() == 0)

    async def test_refuses_a_partition_that_is_not_there(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        for partition in (-1, PARTITIONS):
            with pytest.raises(InvalidData, match="no such partition"):
                await writer.append([NewRecord(0, b"t", b"x"), NewRecord(partition, b"t", b"x")])
        assert read_all(reader, 0) == []

    async def test_close_waits_for_what_was_handed_over(self, harness: Harness) -> None:
        writer = await harness.writer()
        appends = [asyncio.ensure_future(writer.append([NewRecord(0, b"t", b"x" * 1000)])) for _ in range(20)]
        await asyncio.sleep(0)
        await writer.close()
        await writer.close()
        await gather(appends)
        reader = harness.reader()
        assert len(read_all(reader, 0)) == 20
        reader.close()
        reader.close()

    async def test_a_reopened_log_goes_on(self, harness: Harness) -> None:
        first = await harness.writer()
        await first.append([NewRecord(0, b"t", b"one")])
        await first.close()
        second = await harness.writer()
        assert second.log_id == first.log_id
        await second.append([NewRecord(0, b"t", b"two")])
        assert values(read_all(harness.reader(), 0)) == [b"one", b"two"]

    async def test_subscription_hands_out_everything_once_and_in_order(self, harness: Harness) -> None:
        writer = await harness.writer()
        listener = Recorder()
        subscription = harness.subscription("group", listener)
        for n in range(25):
            await writer.append([NewRecord(p, b"t", f"{n}".encode()) for p in range(4)])
        records = poll_all(subscription, 100, max_bytes=50)
        assert sorted(p for told in listener.assignments for p in told) == [0, 1, 2, 3]
        for partition in range(4):
            mine = [record for record in records if record.partition == partition]
            assert values(mine) == [f"{n}".encode() for n in range(25)]
            assert subscription.position(partition) == mine[-1].offset + 1 == subscription.end_offset(partition)
            assert subscription.start_offset(partition) == mine[0].offset
        assert subscription.poll(0, MANY) == []

    async def test_poll_waits_for_a_first_record(self, harness: Harness) -> None:
        writer = await harness.writer()
        subscription = harness.subscription("group", Recorder())
        while subscription.poll(0.1, MANY):
            raise AssertionError("a new log is empty")
        waiting = asyncio.create_task(asyncio.to_thread(subscription.poll, 20.0, MANY))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await writer.append([NewRecord(2, b"t", b"new")])
        async with asyncio.timeout(5):
            assert values(await waiting) == [b"new"]

    async def test_poll_is_bounded_by_bytes_but_gives_one(self, harness: Harness) -> None:
        writer = await harness.writer()
        await writer.append([NewRecord(n % 4, b"t", b"x" * 1000) for n in range(40)])
        subscription = harness.subscription("group", Recorder())
        poll_all(subscription, 1, max_bytes=1)
        for _ in range(5):
            assert 1 <= len(subscription.poll(5, 5000)) <= 5
        assert len(subscription.poll(5, 10)) == 1

    async def test_no_partition_waits_for_another_ones_backlog(self, harness: Harness) -> None:
        writer = await harness.writer()
        await writer.append([NewRecord(0, b"t", b"x" * 1000)] * 200)
        await writer.append([NewRecord(p, b"t", b"y") for p in (1, 2, 3)])
        subscription = harness.subscription("group", Recorder())
        seen: list[int] = []
        while set(seen) != {0, 1, 2, 3}:
            seen += [record.partition for record in subscription.poll(5, 2000)]
            assert len(seen) < 200
            await asyncio.sleep(0.01)  # what another partition has may be on its way

    async def test_listener_names_the_start(self, harness: Harness) -> None:
        writer, reader = await harness.writer(), harness.reader()
        await writer.append([NewRecord(0, b"t", f"{n}".encode()) for n in range(5)])
        third = read_all(reader, 0)[3].offset
        subscription = harness.subscription("group", Recorder({0: third}))
        assert values(poll_all(subscription, 2)) == [b"3", b"4"]

    async def test_seek_and_pause(self, harness: Harness) -> None:
        writer = await harness.writer()
        await writer.append([NewRecord(p, b"t", b"x") for p in range(4)])
        subscription = harness.subscription("group", Recorder())
        records = poll_all(subscription, 4)
        subscription.pause(1)
        for record in records:
            subscription.seek(record.partition, record.offset)
        assert sorted(r.partition for r in poll_all(subscription, 3)) == [0, 2, 3]
        assert subscription.poll(0.05, MANY) == []
        assert subscription.position(1) == next(r.offset for r in records if r.partition == 1)
        subscription.resume(1)
        assert [r.partition for r in poll_all(subscription, 1)] == [1]

    async def test_commits_are_kept_by_group(self, harness: Harness) -> None:
        writer = await harness.writer()
        await writer.append([NewRecord(0, b"t", b"x")] * 5)
        first, second = harness.subscription("first", Recorder()), harness.subscription("second", Recorder())
        poll_all(first, 5)
        poll_all(second, 5)
        assert first.committed(0) is None
        first.commit(0, 3)
        second.commit(0, 5)
        first.commit(0, 4)
        await wait_for(lambda: (first.committed(0), second.committed(0)) == (4, 5))
        assert (first.committed(0), second.committed(0), first.committed(1)) == (4, 5, None)
        first.close()
        again = harness.subscription("first", Recorder())
        assert again.committed(0) == 4

    async def test_a_partition_has_one_member_and_passes_on(self, harness: Harness) -> None:
        writer = await harness.writer()
        await writer.append([NewRecord(p, b"t", b"x") for p in range(4)])
        leaver, heir = Recorder(), Recorder()
        leaving, inheriting = harness.subscription("group", leaver), harness.subscription("group", heir)
        other = harness.subscription("other", Recorder())
        poll_all(leaving, 4)
        leaving.close()
        leaving.close()
        assert sorted(p for told in leaver.revocations for p in told) == [0, 1, 2, 3]
        assert len(poll_all(inheriting, 4)) == 4
        assert sorted(p for told in heir.assignments for p in told) == [0, 1, 2, 3]
        assert len(poll_all(other, 4)) == 4
