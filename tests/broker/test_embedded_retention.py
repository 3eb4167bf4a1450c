"""What the embedded log lets go: committed records only, by age and by size, in small steps."""

import os

import pytest

from broker.embedded_commits import Commits
from broker.log import LogFull, NewRecord
from broker.record import LABEL_WINDOW, new_headers
from broker.settings import EmbeddedSettings
from forebay.units import Duration, Size
from tests.broker.conftest import EmbeddedHarness
from tests.broker.contract import Recorder, poll_all, read_all, values, wait_for

HOUR_MS = 3_600_000
HOUR = EmbeddedSettings(retention=Duration.parse("1h"))
SMALL = EmbeddedSettings(retention_bytes=Size(2 << 20))


async def test_committed_records_go_by_age(harness: EmbeddedHarness) -> None:
    writer, reader = await harness.writer(HOUR), harness.reader()
    commits = Commits(harness.directory / "commits")
    await writer.append([NewRecord(p, b"t", b"old") for p in range(4)] * 300)
    harness.clock.now += HOUR_MS // 2
    await writer.append([NewRecord(p, b"t", b"young") for p in range(4)])
    for partition, committed in ((0, 301), (1, 100), (2, 0)):
        commits.write("group", partition, committed)
    harness.clock.now += HOUR_MS // 2 + 1
    await wait_for(lambda: (reader.start_offset(0), reader.start_offset(1)) == (300, 100))
    await writer.close()
    assert values(read_all(reader, 0)) == [b"young"]
    assert [reader.start_offset(p) for p in range(4)] == [300, 100, 0, 0]
    assert reader.read(0, 5, 1000)[0].offset == 300
    assert read_all(reader, 1)[0].offset == 100
    assert len(read_all(reader, 3)) == 301


async def test_labels_stay_for_those_who_may_rely_on_them(harness: EmbeddedHarness) -> None:
    """Committed or not, and whatever the log's size: only records of version 2, and only two windows of them."""
    writer, reader = await harness.writer(SMALL), harness.reader()
    commits = Commits(harness.directory / "commits")

    async def append(version: int) -> None:
        await writer.append([NewRecord(0, b"t", os.urandom(200_000), new_headers(version=version))])
        harness.clock.now += LABEL_WINDOW

    for version in (1, 2, 1, 2, 2, 2):
        await append(version)
    await append(1)
    commits.write("group", 0, 6)  # at 6 windows: what version 2 said from 4 on is needed

    async def takes_one_more() -> bool:
        try:
            await append(1)
        except LogFull:
            return False
        return True

    # Until nothing can go but what cannot be done without.
    while await takes_one_more() or reader.start_offset(0) < 4:
        await wait_for(lambda: reader.start_offset(0) == 4 or not writer.is_full)
    assert reader.start_offset(0) == 4
    commits.write("group", 0, 8)
    await wait_for(lambda: reader.start_offset(0) > 4)


async def test_the_group_that_is_furthest_counts(harness: EmbeddedHarness) -> None:
    writer, reader = await harness.writer(HOUR), harness.reader()
    commits = Commits(harness.directory / "commits")
    await writer.append([NewRecord(0, b"t", b"x")] * 10)
    commits.write("slow", 0, 2)
    commits.write("fast", 0, 7)
    harness.clock.now += 2 * HOUR_MS
    await wait_for(lambda: reader.start_offset(0) == 7)


async def test_an_emptied_partition_goes_on_where_it_was(harness: EmbeddedHarness) -> None:
    writer, reader = await harness.writer(HOUR), harness.reader()
    await writer.append([NewRecord(0, b"t", b"x")] * 10)
    last = harness.clock.now
    Commits(harness.directory / "commits").write("group", 0, 10)
    harness.clock.now += 2 * HOUR_MS
    await wait_for(lambda: reader.start_offset(0) == 10)
    assert reader.end_offset(0) == 10
    assert reader.read(0, 0, 1000) == []
    await writer.close()
    harness.clock.now = last - HOUR_MS
    writer = await harness.writer(HOUR)
    await writer.append([NewRecord(0, b"t", b"new")])
    (record,) = read_all(reader, 0)
    assert (record.offset, record.append_time) == (10, last)


async def test_the_oldest_committed_records_go_by_size(harness: EmbeddedHarness) -> None:
    writer, reader = await harness.writer(SMALL), harness.reader()
    commits = Commits(harness.directory / "commits")
    for n in range(100):
        await wait_for(lambda: not writer.is_full)
        await writer.append([NewRecord(n % 4, b"t", os.urandom(100_000))])
        commits.write("group", n % 4, n // 4 + 1)
        harness.clock.now += 1
    left = sorted(record.append_time for partition in range(4) for record in read_all(reader, partition))
    assert 15 <= len(left) <= 20
    # The newest ones, of all partitions alike, but for what the last step took with it.
    assert left[-1] - left[0] <= len(left) + 4
    # Freed pages were used again.
    assert (harness.directory / "log.db").stat().st_size < 3 << 20


async def test_a_log_full_of_unread_records_refuses_until_they_are_read(harness: EmbeddedHarness) -> None:
    writer = await harness.writer(SMALL)
    acknowledged: list[bytes] = []
    with pytest.raises(LogFull, match="hint: start a consumer"):  # noqa: PT012 - which one is open
        while len(acknowledged) < 1000:
            value = os.urandom(100_000)
            await writer.append([NewRecord(0, b"t", value)])
            acknowledged.append(value)
    assert 15 <= len(acknowledged) <= 30
    harness.clock.now += 1000 * HOUR_MS
    subscription = harness.subscription("group", Recorder())
    assert values(poll_all(subscription, len(acknowledged))) == acknowledged
    with pytest.raises(LogFull):
        await writer.append([NewRecord(0, b"t", b"refused")])
    subscription.commit(0, len(acknowledged))
    await wait_for(lambda: subscription.start_offset(0) > 0)
    await wait_for(lambda: not writer.is_full)
    await writer.append([NewRecord(0, b"t", b"taken")])
    assert values(poll_all(subscription, 1)) == [b"taken"]


async def test_a_log_that_shrank_gives_its_space_back(harness: EmbeddedHarness) -> None:
    writer, reader = await harness.writer(HOUR), harness.reader()
    await writer.append([NewRecord(0, b"t", os.urandom(100_000)) for _ in range(300)])
    await writer.append([NewRecord(0, b"t", b"small")])
    Commits(harness.directory / "commits").write("group", 0, 300)
    harness.clock.now += 2 * HOUR_MS
    await wait_for(lambda: reader.start_offset(0) == 300)
    await wait_for(lambda: (harness.directory / "log.db").stat().st_size < 20 << 20)
    assert values(read_all(reader, 0)) == [b"small"]


async def test_half_written_commits_count_as_none(harness: EmbeddedHarness) -> None:
    commits = Commits(harness.directory / "commits")
    assert commits.furthest() == {}
    commits.write("group", 0, 12)
    commits.write("group", 1, 34)
    (harness.directory / "commits" / "group" / "0").write_text("1")
    (harness.directory / "commits" / "group" / "2.tmp").write_text("99\n")
    assert commits.furthest() == {1: 34}
    assert commits.read("group", 0) is None
