"""What a merge refuses to begin, and refuses to call done."""

from pathlib import Path

import pytest

from bucket.blocks import BlockCatalog
from bucket.bucket import ObjectNotFound
from bucket.faulty import FaultyBucket, Outcome
from bucket.layout import META, block_key
from compactor.merge_job import Merger, SourceUnusable, StagingFailed, UploadInterfered
from compactor.plan import Job, plan
from tests.compactor.world import WINDOW, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for start in (0, 10):
        world.publish(0, start, {"up": {WINDOW + start: 1}})
    return world


def job_of(world: World) -> Job:
    (job,) = plan(BlockCatalog(world.bucket).live(), (), 1 << 60, 0)
    return job


def test_a_source_with_a_file_missing_or_cut_short_is_not_merged(world: World) -> None:
    job = job_of(world)
    merger = Merger(world.bucket, world.workspace(), 1 << 20)
    key = block_key(job.sources[1].ulid, "chunks/000001")
    data = world.bucket.get(key)
    world.bucket.put(key, data[:-1])
    before = world.objects()
    with pytest.raises(SourceUnusable, match="files of a block are missing"):
        merger.run(job)
    world.bucket.delete(key)
    with pytest.raises(SourceUnusable, match="files of a block are missing"):
        merger.run(job)
    del before[key]
    assert world.objects() == before


def test_a_source_with_tombstones_is_not_merged(world: World) -> None:
    job = job_of(world)
    world.bucket.put(block_key(job.sources[0].ulid, "tombstones"), b"")
    with pytest.raises(SourceUnusable, match="tombstones"):
        Merger(world.bucket, world.workspace(), 1 << 20).run(job)


def test_a_source_that_is_gone_is_told_from_one_that_is_damaged(world: World) -> None:
    job = job_of(world)
    world.bucket.delete(block_key(job.sources[0].ulid, META))
    with pytest.raises(ObjectNotFound):
        Merger(world.bucket, world.workspace(), 1 << 20).run(job)


def test_meta_json_is_not_put_beside_files_that_somebody_removed(world: World) -> None:
    class Plan:
        def next(self, operation: str, key: str) -> Outcome:
            if operation == "put_file" and key.endswith("/index"):
                world.bucket.delete(key.replace("index", "chunks/000001"))
            return Outcome()

    job = job_of(world)
    with pytest.raises(UploadInterfered):
        Merger(FaultyBucket(world.bucket, Plan()), world.workspace(), 1 << 20).run(job)
    assert sum(key.endswith(META) for key in world.objects()) == 2
    Merger(world.bucket, world.workspace(), 1 << 20).run(job)
    assert sum(key.endswith(META) for key in world.objects()) == 3


def test_the_directory_is_empty_between_jobs_whatever_happened(world: World) -> None:
    left = world.scratch / "work" / "compactor-of-a-process-that-died"
    left.mkdir(parents=True)
    (left / "index").write_bytes(b"half")
    workspace = world.workspace()
    Merger(world.bucket, workspace, 1 << 20).run(job_of(world))
    assert list(workspace.directory().iterdir()) == []
    workspace.close()
    assert list((world.scratch / "work").iterdir()) == []


def test_a_disk_that_does_not_take_the_work_is_tried_again_later(world: World) -> None:
    (world.scratch / "work").write_bytes(b"a file where a directory must be")
    with pytest.raises(StagingFailed, match="hint: look at the disk"):
        Merger(world.bucket, world.workspace(), 1 << 20).run(job_of(world))
