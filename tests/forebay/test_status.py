"""What /api/v1/status gathers, on a real log and bucket in memory."""

import asyncio
import types
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedWriter
from broker.log import LogUnavailable, NewRecord
from broker.open import open_reader, open_writer
from broker.record import new_headers
from broker.settings import BrokerSettings, EmbeddedSettings
from bucket.bucket import BucketUnavailable
from bucket.manifest import BlockEntry, FileEntry, Manifest, Recipe
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from consumers.status import PartitionStatus
from forebay.clock import ManualClock, SystemClock
from forebay.readiness import Readiness
from forebay.status import Status

RECIPE = Recipe(
    builder=1,
    external_labels={},
    tenant_label="tenant_id",
    window=7_200_000,
    segment_interval=60_000,
    segment_max_bytes=1 << 30,
    max_age=1,
    max_future=1,
    max_windows=1,
)


def manifest(log_id: str, start: int, end: int) -> Manifest:
    block = BlockEntry(
        ulid=f"{start:026}",
        tenant="a",
        window=0,
        min_time=0,
        max_time=1,
        series=2,
        samples=3,
        files=(FileEntry("index", 10, ""), FileEntry("chunks/000001", 20, "")),
    )
    return Manifest(
        log_id=log_id,
        partition=0,
        start=start,
        end=end,
        first_append_time=1,
        last_append_time=2,
        ended_by="mark",
        recipe=RECIPE,
        recipe_digest=RECIPE.digest(),
        blocks=(block,),
        ledger={},
    )


@pytest.fixture
def process(clock: ManualClock) -> types.SimpleNamespace:
    return types.SimpleNamespace(role="gateway", clock=clock, readiness=Readiness(), started_ms=clock.now_ms() - 5000)


@pytest.fixture
async def log_directory(tmp_path: Path) -> AsyncIterator[Path]:
    writer = open_writer(BrokerSettings(), tmp_path, SystemClock())
    await writer.append([NewRecord(0, b"a", b"x", new_headers())] * 5)
    yield tmp_path
    await writer.close()


async def test_how_far_log_and_manifests_are(process: types.SimpleNamespace, log_directory: Path) -> None:
    bucket = MemoryBucket()
    status = Status(process, open_log=lambda: open_reader(BrokerSettings(), log_directory), bucket=bucket)  # type: ignore[arg-type]
    first = await status.gather()
    assert first["uptime_seconds"] == 5
    assert [row["end_offset"] for row in first["partitions"]] == [5, 0, 0, 0]
    assert [row["manifest_end"] for row in first["partitions"]] == [0, 0, 0, 0]
    manifests = ManifestStore(bucket)
    for start, end in ((0, 2), (2, 4)):
        manifests.create(manifest(first["log_id"], start, end))
        gathered = await status.gather()
        assert gathered["partitions"][0]["manifest_end"] == end
    assert gathered["partitions"][0]["last_segment"]["samples"] == 3
    assert [block["ulid"][-1] for block in gathered["blocks"]] == ["2", "0"]
    assert gathered["blocks"][0]["bytes"] == 30
    status.close()


async def test_how_long_records_wait(process: types.SimpleNamespace, tmp_path: Path) -> None:
    clock = process.clock
    writer = EmbeddedWriter(EmbeddedSettings(), tmp_path, clock)
    for _ in range(4):
        await writer.append([NewRecord(0, b"a", b"x", new_headers())])
        clock.advance(10)
    bucket = MemoryBucket()
    ManifestStore(bucket).create(manifest(writer.log_id, 0, 1))
    held: list[PartitionStatus] = []
    status = Status(
        process,  # type: ignore[arg-type]
        open_log=lambda: open_reader(BrokerSettings(), tmp_path),
        bucket=bucket,
        consumed=lambda: held,
    )
    row, idle = (await status.gather())["partitions"][:2]
    assert (row["unpublished"], row["unpublished_seconds"], "lag" in row) == (3, 30.0, False)
    assert (idle["unpublished"], idle["unpublished_seconds"]) == (0, 0.0)
    held += [consumed(position=3, last_end=1, oldest_append_time=clock.now_ms() - 29_000)]
    row = (await status.gather())["partitions"][0]
    assert (row["lag"], row["lag_seconds"], row["unpublished_seconds"]) == (1, 10.0, 29.0)
    held[:] = [consumed(position=4, last_end=1, oldest_append_time=None)]
    row = (await status.gather())["partitions"][0]
    assert (row["lag"], row["lag_seconds"], row["unpublished_seconds"]) == (0, 0.0, 30.0)
    status.close()
    await writer.close()


def consumed(*, position: int, last_end: int | None, oldest_append_time: int | None) -> PartitionStatus:
    return PartitionStatus(
        partition=0,
        position=position,
        end_offset=position,
        lag=0,
        taken_time=None,
        open_start=None,
        oldest_append_time=oldest_append_time,
        records=0,
        samples=0,
        series=0,
        memory_bytes=0,
        sealing=False,
        paused=False,
        failing="",
        last_end=last_end,
        last_append_time=None,
        last_blocks=0,
    )


async def test_a_log_that_is_not_there_yet_is_asked_for_again(
    process: types.SimpleNamespace, log_directory: Path
) -> None:
    there = asyncio.Event()

    def open_log() -> object:
        if not there.is_set():
            raise LogUnavailable("no log yet")
        return open_reader(BrokerSettings(), log_directory)

    status = Status(process, open_log=open_log)  # type: ignore[arg-type]
    gathered = await status.gather()
    assert gathered["partitions"] == []
    assert not gathered["ready"]
    assert gathered["objections"] == ["status: no log yet"]
    there.set()
    assert len((await status.gather())["partitions"]) == 4
    status.close()


async def test_a_bucket_that_does_not_answer_is_said(process: types.SimpleNamespace, log_directory: Path) -> None:
    class Down(MemoryBucket):
        def list(self, prefix: str, start_after: str = "") -> object:  # type: ignore[override]
            raise BucketUnavailable("no route")

    status = Status(process, open_log=lambda: open_reader(BrokerSettings(), log_directory), bucket=Down())  # type: ignore[arg-type]
    assert (await status.gather())["objections"] == ["status: no route"]
    status.close()
