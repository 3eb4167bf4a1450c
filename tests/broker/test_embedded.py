"""What the embedded writer does beyond the contract: one writer, group commit, backpressure, trouble and its end."""

# ruff: noqa: ASYNC220, ASYNC221 - nothing else runs on the event loop while a test waits for a process

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from broker.log import LogCorrupt, LogFull, LogUnavailable, NewRecord
from broker.settings import EmbeddedSettings
from forebay.errors import Fatal
from forebay.units import Size
from tests.broker.conftest import EmbeddedHarness
from tests.broker.contract import gather, read_all, values

_HOLD = """
import asyncio, sys
from pathlib import Path
from broker.embedded import EmbeddedWriter
from broker.settings import EmbeddedSettings
from forebay.clock import SystemClock
writer = EmbeddedWriter(EmbeddedSettings(), Path(sys.argv[1]), SystemClock())
print("open", flush=True)
sys.stdin.read()
"""


async def test_a_second_writer_is_refused_and_told_who_is_first(harness: EmbeddedHarness) -> None:
    await harness.writer()
    with pytest.raises(Fatal, match=f"hint: stop process {os.getpid()}"):
        await harness.writer()


async def test_a_dead_writers_lock_is_free(harness: EmbeddedHarness) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(harness.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(Fatal, match=f"pid={holder.pid}"):
            await harness.writer()
        holder.kill()
    writer = await harness.writer()
    await writer.append([NewRecord(0, b"t", b"x")])


async def test_who_waits_together_is_committed_together(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    body = os.urandom(20_000)
    await gather([writer.append([NewRecord(n % 4, b"t", body)]) for n in range(200)])
    assert len(read_all(harness.reader(), 0)) == 50
    assert writer.commits <= 20


async def test_append_time_never_goes_back(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    start = harness.clock.now
    for step in (0, 5_000, -60_000, 1_000):
        harness.clock.now = start + step
        await writer.append([NewRecord(step % 3, b"t", b"x")])
    await writer.close()
    harness.clock.now = start - 3_600_000
    writer = await harness.writer()
    await writer.append([NewRecord(3, b"t", b"x")])  # another partition: it is the log's time that goes on
    reader = harness.reader()
    times = [record.append_time for partition in range(4) for record in read_all(reader, partition)]
    assert sorted(times) == [start] + [start + 5_000] * 4
    assert read_all(reader, 3)[0].append_time == start + 5_000


async def test_too_many_waiting_bytes_are_refused_at_once(harness: EmbeddedHarness) -> None:
    writer = await harness.writer(EmbeddedSettings(queue_bytes=Size(10_000)))
    larger_than_the_queue = asyncio.ensure_future(writer.append([NewRecord(0, b"t", b"x" * 50_000)]))
    await asyncio.sleep(0)
    assert writer.backlog_bytes() > 50_000
    with pytest.raises(LogFull, match=r"waiting=500\d\d request=\d+ bound=10000"):
        await writer.append([NewRecord(0, b"t", b"refused")])
    await larger_than_the_queue
    await writer.append([NewRecord(0, b"t", b"taken")])
    assert values(read_all(harness.reader(), 0)) == [b"x" * 50_000, b"taken"]


async def test_a_closed_writer_says_so(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    await writer.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await writer.append([NewRecord(0, b"t", b"x")])


async def test_partitions_grow_and_never_shrink(harness: EmbeddedHarness) -> None:
    writer = await harness.writer(EmbeddedSettings(partitions=2))
    reader = harness.reader()
    await writer.append([NewRecord(1, b"t", b"old")])
    await writer.close()
    assert reader.partitions == 2
    writer = await harness.writer(EmbeddedSettings(partitions=3))
    await writer.append([NewRecord(1, b"t", b"new"), NewRecord(2, b"t", b"new")])
    await writer.close()
    assert reader.partitions == 3
    assert values(read_all(reader, 1)) == [b"old", b"new"]
    assert values(read_all(reader, 2)) == [b"new"]
    with pytest.raises(Fatal, match=r"partitions=2 present=3 .*hint: set broker.embedded.partitions to 3"):
        await harness.writer(EmbeddedSettings(partitions=2))
    await harness.writer(EmbeddedSettings(partitions=3))


async def test_a_write_that_fails_is_told_and_the_next_goes_on(harness: EmbeddedHarness) -> None:
    """A limit on file size makes every write behind it fail, as a broken or full disk does."""
    writer = await harness.writer()
    acknowledged = [os.urandom(3_000) for _ in range(20)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    await writer.append([NewRecord(0, b"t", value) for value in acknowledged])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        for _ in range(3):
            with pytest.raises(LogUnavailable, match=r"while=append .*SQLITE_"):
                await writer.append([NewRecord(0, b"t", os.urandom(300_000))])
        await asyncio.sleep(0.1)  # several looks whether it has passed
        assert "SQLITE_" in writer.problem
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    async with asyncio.timeout(5):
        while writer.problem:  # noqa: ASYNC110 - it passes without an append, on the writer's own thread
            await asyncio.sleep(0.01)
    await writer.append([NewRecord(0, b"t", b"after")])
    records = read_all(harness.reader(), 0)
    assert values(records) == [*acknowledged, b"after"]
    assert [record.offset for record in records] == list(range(21))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
async def test_a_full_disk_is_told_and_room_ends_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    harness = EmbeddedHarness(disk / "log")
    try:
        (disk / "ballast").write_bytes(bytes(1 << 20))
        writer = await harness.writer()
        acknowledged: list[bytes] = []
        with pytest.raises(LogUnavailable, match=r"SQLITE_FULL.*hint: free disk space"):  # noqa: PT012 - which one is open
            while len(acknowledged) < 1000:
                value = os.urandom(50_000)
                await writer.append([NewRecord(0, b"t", value)])
                acknowledged.append(value)
        reader = harness.reader()
        assert values(read_all(reader, 0)) == acknowledged
        (disk / "ballast").unlink()
        await writer.append([NewRecord(0, b"t", b"after")])
        await writer.close()
        assert values(read_all(reader, 0)) == [*acknowledged, b"after"]
    finally:
        await harness.close()
        subprocess.run(["umount", str(disk)], check=True)


async def test_damage_ends_the_writer_for_good(harness: EmbeddedHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = await harness.writer()
    damaged = LogCorrupt("a page is damaged", hint="start again with a new log")

    def fail(*_: object) -> None:
        raise damaged

    monkeypatch.setattr(writer._store, "append", fail)
    outcomes = await asyncio.gather(
        *(writer.append([NewRecord(0, b"t", b"x")]) for _ in range(5)), return_exceptions=True
    )
    monkeypatch.undo()
    assert outcomes == [damaged] * 5
    with pytest.raises(LogCorrupt, match="a page is damaged"):
        await writer.append([NewRecord(0, b"t", b"x")])
    assert "a page is damaged" in writer.problem
    await writer.close()
    assert read_all(harness.reader(), 0) == []


async def test_a_mistake_in_the_writer_is_fatal_to_all_who_wait(
    harness: EmbeddedHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await harness.writer()
    monkeypatch.setattr(writer._store, "append", lambda *_: 1 / 0)
    with pytest.raises(Fatal, match="ZeroDivisionError"):
        await writer.append([NewRecord(0, b"t", b"x")])
    with pytest.raises(Fatal, match="ZeroDivisionError"):
        await writer.append([NewRecord(0, b"t", b"x")])
    assert writer.backlog_bytes() == 0


async def test_a_reader_before_the_first_writer_is_told_to_wait(harness: EmbeddedHarness) -> None:
    with pytest.raises(LogUnavailable, match="there is no log yet"):
        harness.reader()


async def test_a_foreign_database_is_left_alone(harness: EmbeddedHarness) -> None:
    harness.directory.mkdir()
    database = harness.directory / "log.db"
    subprocess.run(
        [sys.executable, "-c", f"import sqlite3; sqlite3.connect({str(database)!r}).execute('create table a (b)')"],
        check=True,
    )
    with pytest.raises(Fatal, match="not a log of forebay"):
        harness.reader()
    with pytest.raises(Fatal, match="not a log of forebay"):
        await harness.writer()
    assert b"records_0" not in database.read_bytes()
