"""What is removed, when, and what is never."""

import json
from pathlib import Path

import pytest

from bucket.bucket import Bucket
from bucket.faulty import FaultyBucket, Outcome
from bucket.layout import DELETION_MARK, META, block_key
from compactor.settings import CompactorSettings
from forebay.units import Duration
from tests.compactor.world import HOUR, WINDOW, World

ONE = {"up": {WINDOW + 1: 1}}
TWO = {"up": {WINDOW + 2: 2}}
OTHER_RECIPE_ULID = "01HF7Z0000000000000000000A"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def mark(bucket: Bucket, ulid: str, seconds: int, details: str) -> None:
    data = {"id": ulid, "version": 1, "deletion_time": seconds, "details": details}
    bucket.put(block_key(ulid, DELETION_MARK), json.dumps(data).encode())


def compacted(world: World) -> tuple[list[str], str]:
    """Sources, marked now, and their output."""
    sources = [world.publish(0, 0, ONE), world.publish(0, 10, TWO)]
    world.close_window()
    world.compactor().run_once()
    (output,) = set(world.ulids()) - set(sources)
    return sources, output


def test_marked_sources_go_after_the_delay(world: World) -> None:
    sources, output = compacted(world)
    world.clock.advance(48 * HOUR - 2)
    assert world.compactor().run_once().removed == 0
    assert world.ulids() == sorted([*sources, output])
    world.clock.advance(2)
    assert world.compactor().run_once().removed == 2
    assert world.ulids() == [output]


def test_meta_json_goes_first_and_the_mark_last(world: World) -> None:
    sources, _ = compacted(world)
    world.clock.advance(49 * HOUR)
    deleted = []

    class Plan:
        def next(self, operation: str, key: str) -> Outcome:
            if operation == "delete":
                deleted.append(key)
            return Outcome()

    world.compactor(FaultyBucket(world.bucket, Plan())).run_once()
    files = [META, "chunks/000001", "index", DELETION_MARK]
    assert deleted == [block_key(ulid, file) for ulid in sorted(sources) for file in files]


def test_a_source_whose_output_is_gone_stays_and_is_merged_again(world: World) -> None:
    _, output = compacted(world)
    before = world.objects()
    for info in list(world.bucket.list(f"{output}/")):
        world.bucket.delete(info.key)
    world.clock.advance(500 * HOUR)
    assert world.compactor().run_once()[:4] == (1, 0, 0, 0)
    assert world.objects() == before
    assert world.read() == {"up": {WINDOW + 1: 1, WINDOW + 2: 2}}


def test_an_output_that_vanishes_during_the_run_keeps_its_sources(world: World) -> None:
    sources, output = compacted(world)
    world.clock.advance(49 * HOUR)
    compactor = world.compactor()
    assert compactor.run_once().removed == 2  # the same clean-up, undisturbed
    for source, start in zip(sources, (0, 10), strict=True):
        assert world.publish(0, start, ONE if start == 0 else TWO) == source  # a zombie puts them back
        mark(world.bucket, source, 0, "source of compacted block")

    class Plan:
        reads = 0

        def next(self, operation: str, key: str) -> Outcome:
            if operation == "get" and key.endswith(DELETION_MARK):
                world.bucket.delete(block_key(output, "index"))
            return Outcome()

    again = world.compactor(FaultyBucket(world.bucket, Plan()))
    assert again.run_once().removed == 0
    assert world.ulids() == sorted([*sources, output])


def test_a_block_that_somebody_else_marked_is_neither_merged_nor_removed(world: World) -> None:
    unwanted = world.publish(0, 0, ONE)
    mark(world.bucket, unwanted, 0, "by hand")
    world.publish(0, 10, TWO)
    world.clock.advance(500 * HOUR)
    before = world.objects()
    assert world.compactor().run_once() == (0, 0, 0, 0, 0)
    assert world.objects() == before


def test_a_mark_that_stands_is_not_written_again(world: World) -> None:
    source = world.publish(0, 0, ONE)
    mark(world.bucket, source, 123, "source of compacted block, said another")
    other = world.publish(0, 10, TWO)
    world.close_window()
    before = world.bucket.get(block_key(source, DELETION_MARK))
    assert world.compactor().run_once()[:3] == (1, 0, 1)
    assert world.bucket.get(block_key(source, DELETION_MARK)) == before
    assert json.loads(world.bucket.get(block_key(other, DELETION_MARK)))["deletion_time"] == (
        world.clock.now_ms() // 1000
    )


def test_an_orphan_goes_only_once_another_has_its_place_in_the_chain(world: World) -> None:
    orphan = world.publish(0, 20, ONE, manifest=False)
    world.clock.advance(500 * HOUR)
    assert world.compactor().run_once().removed == 0  # a builder may be about to commit it
    world.publish(0, 0, TWO)
    world.publish(0, 10, TWO)
    assert world.compactor().run_once().removed == 0
    standing = world.publish(0, 20, TWO, tenant="another")
    assert world.compactor().run_once().removed == 1
    assert orphan not in world.ulids()
    assert standing in world.ulids()


def test_a_young_orphan_stays(world: World) -> None:
    world.publish(0, 0, TWO, tenant="another")
    orphan = world.publish(0, 0, ONE, manifest=False)
    world.clock.advance(48 * HOUR - 1)
    assert world.compactor().run_once().removed == 0
    world.clock.advance(1)
    assert world.compactor().run_once().removed == 1
    assert orphan not in world.ulids()


def test_a_copied_extension_makes_no_orphan(world: World) -> None:
    """Thanos' compactor gives its output the extension of what it merged."""
    world.publish(0, 0, TWO, tenant="another")
    copied = world.publish(0, 0, ONE, manifest=False)
    meta = json.loads(world.bucket.get(block_key(copied, META)))
    meta["compaction"] = {"level": 2, "sources": [OTHER_RECIPE_ULID, copied]}
    world.bucket.put(block_key(copied, META), json.dumps(meta).encode())
    world.clock.advance(500 * HOUR)
    assert world.compactor().run_once().removed == 0


def test_a_partial_upload_goes_after_the_delay_since_it_grew(world: World) -> None:
    partial = world.publish(0, 0, ONE, manifest=False, whole=False)
    world.clock.advance(40 * HOUR)
    world.bucket.put(block_key(partial, "chunks/000002"), b"more")
    world.clock.advance(47 * HOUR)
    assert world.compactor().run_once().removed == 0
    world.clock.advance(HOUR)
    assert world.compactor().run_once().removed == 1
    assert world.ulids() == []


def test_an_upload_that_goes_on_while_it_is_removed_is_left_alone(world: World) -> None:
    """Whatever the uploader does next, and wherever the cleaner is by then."""
    for at in range(3):
        for written in ("chunks/000001", META):
            partial = world.publish(at, 0, ONE, manifest=False, whole=False)
            world.bucket.put(block_key(partial, "chunks/000002"), b"more")
            world.clock.advance(48 * HOUR)
            deletes = 0

            class WakesUp:
                """The uploader writes once so many objects are gone."""

                def next(self, operation: str, key: str) -> Outcome:
                    nonlocal deletes
                    if operation == "list" and deletes == at:  # noqa: B023 - used within the turn
                        deletes += 1
                        world.bucket.put(block_key(partial, written), b"awake")  # noqa: B023
                    elif operation == "delete":
                        deletes += 1
                    return Outcome()

            world.compactor(FaultyBucket(world.bucket, WakesUp())).run_once()
            assert world.bucket.get(block_key(partial, written)) == b"awake"
            for info in list(world.bucket.list(f"{partial}/")):
                world.bucket.delete(info.key)


def test_a_broken_mark_is_made_anew_and_a_newer_one_is_not(world: World) -> None:
    (first, second), output = compacted(world)
    world.bucket.put(block_key(first, DELETION_MARK), b'{"id": "01HF')
    newer = json.dumps({"id": second, "version": 2}).encode()
    world.bucket.put(block_key(second, DELETION_MARK), newer)
    world.clock.advance(49 * HOUR)
    assert world.compactor().run_once()[2:4] == (1, 0)
    assert (
        json.loads(world.bucket.get(block_key(first, DELETION_MARK)))["deletion_time"] == world.clock.now_ms() // 1000
    )
    world.clock.advance(48 * HOUR)
    assert world.compactor().run_once()[2:4] == (0, 1)
    assert world.ulids() == sorted([second, output])
    assert world.bucket.get(block_key(second, DELETION_MARK)) == newer


def test_a_half_removed_block_with_a_broken_mark_goes_after_the_delay(world: World) -> None:
    (first, _), output = compacted(world)
    world.clock.advance(49 * HOUR)
    world.bucket.delete(block_key(first, META))
    world.bucket.put(block_key(first, DELETION_MARK), b"{")
    assert world.compactor().run_once().removed == 1
    assert world.ulids() == sorted([first, output])
    world.clock.advance(48 * HOUR)
    assert world.compactor().run_once().removed == 1
    assert world.ulids() == [output]


def test_what_is_foreign_or_cannot_be_read_is_never_touched(world: World) -> None:
    foreign = world.publish(0, 0, ONE, manifest=False)
    meta = json.loads(world.bucket.get(block_key(foreign, META)))
    del meta["thanos"]["extensions"]
    world.bucket.put(block_key(foreign, META), json.dumps(meta).encode())
    mark(world.bucket, foreign, 0, "source of compacted block")
    unreadable = world.publish(1, 0, ONE, manifest=False)
    world.bucket.put(block_key(unreadable, META), b"{")
    world.bucket.put("notes/meta.json", b"")
    world.bucket.put("0/notes", b"")
    world.clock.advance(500 * HOUR)
    before = world.objects()
    assert world.compactor().run_once() == (0, 0, 0, 0, 0)
    assert world.objects() == before


def test_what_a_crash_left_half_removed_goes_with_the_next_run(world: World) -> None:
    sources, output = compacted(world)
    world.clock.advance(49 * HOUR)
    for source in sources:
        world.bucket.delete(block_key(source, META))
    settings = CompactorSettings(orphan_delay=Duration.parse("9d"))
    assert world.compactor(settings=settings).run_once().removed == 2
    assert world.ulids() == [output]


def test_a_block_that_a_zombie_puts_back_is_marked_anew_and_waited_for(world: World) -> None:
    (source, _), output = compacted(world)
    compactor = world.compactor()
    world.clock.advance(48 * HOUR - 2)
    compactor.run_once()  # knows the marks
    world.clock.advance(2)
    assert world.compactor().run_once().removed == 2
    assert compactor.run_once() == (0, 0, 0, 0, 0)
    assert world.publish(0, 0, ONE) == source
    assert compactor.run_once() == (0, 0, 1, 0, 0)
    world.clock.advance(48 * HOUR)
    assert compactor.run_once() == (0, 0, 0, 1, 0)
    assert world.ulids() == [output]


def test_no_mark_is_made_for_the_sake_of_an_output_that_was_whole_only_before(world: World) -> None:
    sources, output = compacted(world)
    compactor = world.compactor()
    compactor.run_once()
    for source in sources:
        for info in list(world.bucket.list(f"{source}/")):
            world.bucket.delete(info.key)
    compactor.run_once()
    world.publish(0, 0, ONE)
    world.publish(0, 10, TWO)
    world.bucket.delete(block_key(output, "index"))
    assert compactor.run_once()[:3] == (0, 0, 0)
    assert compactor.run_once()[:3] == (1, 0, 2)
    assert world.read_block(output) == {"up": {WINDOW + 1: 1, WINDOW + 2: 2}}
