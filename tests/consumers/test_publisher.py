"""Crash anywhere, do it again: what is in the bucket at the end does not tell."""

from pathlib import Path

import pytest

from bucket import layout
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket, Outcome
from bucket.manifest import Manifest
from bucket.memory import MemoryBucket
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import START, Rehearsal, objects, one


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    for tenant in (b"a", b"b"):
        log.append(0, one(START, 1), START, tenant=tenant)
    log.append(0, b"\xff\xff\xff", START)
    return log


def published(log: MemoryLog, directory: Path) -> dict[str, bytes]:
    world = Rehearsal(log, MemoryBucket(), directory)
    world.run()
    return objects(world.bucket)


def test_a_crash_at_every_write_and_a_new_start_leave_the_same_objects(log: MemoryLog, tmp_path: Path) -> None:
    expected = published(log, tmp_path / "quiet")
    assert len(expected) == 2 * 3 + 2  # two blocks, one poison record, one manifest
    steps = 0
    while True:
        bucket = MemoryBucket()
        plan = CrashAtWrite(steps)
        world = Rehearsal(log, FaultyBucket(bucket, plan), tmp_path / "staging")
        if steps == len(expected):
            world.run()
            assert not plan.reached
            break
        with pytest.raises(Crash):
            world.run()
        left = objects(bucket)
        assert left.items() <= expected.items()
        _check_order(left, expected)
        world.bucket = bucket
        world.run()
        assert objects(bucket) == expected
        steps += 1


def _check_order(left: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Whatever is there, all that it speaks of is there."""
    for key, data in left.items():
        if key.startswith(layout.SEGMENTS):
            assert len(left) == len(expected)
            assert Manifest.decode(data).end == 3
        elif key.endswith(layout.META):
            ulid = key.split("/")[0]
            assert {path for path in expected if path.startswith(ulid)} <= left.keys()
            assert [path for path in left if path.startswith(layout.QUARANTINE)]


def test_a_segment_that_is_done_is_not_uploaded_again(log: MemoryLog, tmp_path: Path) -> None:
    """Its blocks may have been compacted away: they must not come back."""
    world = Rehearsal(log, MemoryBucket(), tmp_path / "staging")
    rival = Rehearsal(log, MemoryBucket(), tmp_path / "rival")
    rival.run()

    def be_overtaken() -> None:
        if world.polls == 1:
            for key, data in objects(rival.bucket).items():
                if key.startswith(layout.SEGMENTS):
                    world.bucket.create(key, data)

    world.run(each_poll=be_overtaken)
    assert [key for key in objects(world.bucket) if not key.startswith(layout.FOREBAY)] == []
    assert world.log.committed == {0: 3}


@pytest.mark.parametrize("damage", ["removed", "cut short"])
@pytest.mark.parametrize("file", [layout.INDEX, "chunks/000001"])
def test_a_file_that_was_lost_during_a_long_upload_is_put_again(
    log: MemoryLog, tmp_path: Path, damage: str, file: str
) -> None:
    """As when the upload stalled for longer than the compactor waits before it removes one without meta.json."""
    expected = published(log, tmp_path / "quiet")
    bucket = MemoryBucket()
    harmed: list[str] = []

    class Stall:
        """Before the first meta.json, when all else was written."""

        def next(self, operation: str, key: str) -> Outcome:
            if operation == "put_file" and key.endswith(layout.META) and not harmed:
                harmed.extend(info.key for info in bucket.list("") if info.key.endswith(file))
                for each in harmed:
                    if damage == "removed":
                        bucket.delete(each)
                    else:
                        bucket.put(each, bucket.get(each)[:-1])
            return Outcome()

    world = Rehearsal(log, FaultyBucket(bucket, Stall()), tmp_path / "staging")
    world.run()
    assert len(harmed) == 2
    assert objects(bucket) == expected


def test_a_staging_directory_that_is_swept_away_is_made_again(log: MemoryLog, tmp_path: Path) -> None:
    expected = published(log, tmp_path / "quiet")
    staging = tmp_path / "staging"
    staging.write_text("a file where a directory should be")
    world = Rehearsal(log, MemoryBucket(), staging)

    def make_room() -> None:
        if world.polls == 20:
            staging.unlink()

    world.run(each_poll=make_room)
    assert objects(world.bucket) == expected
    assert world.metric("publish_failures_total") > 0
