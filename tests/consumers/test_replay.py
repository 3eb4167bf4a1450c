"""A replay brings back what a consumer had published, to the byte, and nothing else."""

from pathlib import Path

import pytest

from bucket import layout
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket
from bucket.memory import MemoryBucket
from consumers.replay_range import BadSelection, Offset, Selection, Time, offset_for_time
from forebay.units import Duration
from tests.consumers.memory_log import MemoryLog, MemoryReader
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, one
from tests.consumers.replaying import replay

SEGMENTS = 4


@pytest.fixture
def world(tmp_path: Path) -> Rehearsal:
    """Four segments in each of two partitions, two tenants, a poison record; all published, the last one idle."""
    log = MemoryLog(partitions=2)
    for slot in range(SEGMENTS):
        for partition in range(2):
            time = START + slot * SLOT
            for number, tenant in enumerate((b"a", b"b", b"a")):
                at = time + number * 1000
                log.append(partition, one(at, number, p=str(partition)), at, tenant=tenant)
    log.append(0, b"\xff\xff", START + SEGMENTS * SLOT - 1)
    world = Rehearsal(log, MemoryBucket(), tmp_path)
    world.run()
    return world


def mend(left: dict[str, bytes]) -> dict[str, bytes]:
    """Manifests say how their end was known: by the next record, or because none came. That is no difference."""
    return {key: data.replace(b'"ended_by": "idle"', b'"ended_by": "mark"') for key, data in left.items()}


def blocks_of(world: Rehearsal) -> list[str]:
    return [name for name in world.bucket.list_dirs("") if name != "forebay"]


def remove(world: Rehearsal, prefix: str) -> None:
    for info in list(world.bucket.list(prefix)):
        world.bucket.delete(info.key)


def test_what_is_published_is_whole_and_nothing_is_written(world: Rehearsal) -> None:
    world.bucket = FaultyBucket(world.bucket, CrashAtWrite(0))
    reports = replay(world)
    assert [report.state for report in reports] == ["whole"] * 2 * SEGMENTS
    assert {block.state for report in reports for block in report.blocks} == {"present"}
    assert sum(len(report.blocks) for report in reports) == 2 * 2 * SEGMENTS
    assert not any(report.done for report in reports)


@pytest.mark.parametrize("what", ["blocks", "manifests", "both", "everything"])
def test_what_was_deleted_comes_back_to_the_byte(world: Rehearsal, what: str) -> None:
    expected = mend(objects(world.bucket))
    for block in blocks_of(world) if what != "manifests" else ():
        remove(world, block)
    if what != "blocks":
        remove(world, layout.SEGMENTS)
    if what == "everything":
        remove(world, layout.FOREBAY)
    before = objects(world.bucket)
    states = {"blocks": "incomplete"}.get(what, "missing")
    planned = replay(world, dry_run=True)
    assert {(report.state, report.done) for report in planned} == {(states, False)}
    assert objects(world.bucket) == before
    reports = replay(world)
    assert {(report.state, report.done) for report in reports} == {(states, True)}
    assert [report.blocks for report in reports] == [report.blocks for report in planned]
    assert mend(objects(world.bucket)) == expected
    assert {report.state for report in replay(world)} == {"whole"}


def test_one_lost_file_and_one_damaged_file_are_found_and_put_right(world: Rehearsal) -> None:
    expected = objects(world.bucket)
    first, second, *_ = blocks_of(world)
    world.bucket.delete(f"{first}/index")
    data = expected[f"{second}/chunks/000001"]
    world.bucket.put(f"{second}/chunks/000001", data[:-1] + bytes([data[-1] ^ 1]))
    found = {block.ulid: (block.state, block.detail) for report in replay(world) for block in report.blocks}
    assert found[first] == ("missing", "files=index")
    assert found[second] == ("different", "files=chunks/000001")
    assert sorted(set(found.values()) - {found[first], found[second]}) == [("present", "")]
    assert objects(world.bucket) == expected


def test_a_manifest_lost_amid_the_chain_ends_where_the_next_one_begins(world: Rehearsal) -> None:
    expected = objects(world.bucket)
    remove(world, layout.manifest_key("log", 1, 3))
    remove(world, layout.manifest_key("log", 1, 6))
    world.segment = type(world.segment)(interval=Duration(SLOT), grace=Duration(1000))
    reports = replay(world, Selection((1,)))
    assert [report.state for report in reports] == ["whole", "missing", "missing", "whole"]
    assert objects(world.bucket) == expected


def test_a_hole_that_the_cutter_would_end_elsewhere_ends_where_the_next_manifest_begins(world: Rehearsal) -> None:
    remove(world, layout.manifest_key("log", 1, 3))
    for block in blocks_of(world):
        remove(world, block)
    world.segment = type(world.segment)(interval=Duration(10 * SLOT), grace=Duration(1000))
    reports = replay(world, Selection((1,)))
    assert [(report.start, report.end) for report in reports] == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert [manifest.ended_by for manifest in world.chain(1)] == ["mark", "replay", "mark", "idle"]
    assert {report.state for report in replay(world, Selection((1,)))} == {"whole"}


def test_blocks_by_other_settings_without_their_manifest_are_not_doubled(world: Rehearsal) -> None:
    remove(world, layout.manifest_key("log", 1, 3))
    world.external_labels = {"cluster": "us1"}
    before = objects(world.bucket)
    (report,) = [report for report in replay(world) if report.state != "whole"]
    assert (report.state, report.start, report.done) == ("refused", 3, False)
    assert "other settings" in report.reason
    assert objects(world.bucket) == before


def test_an_open_segment_is_left_to_the_live_group(world: Rehearsal) -> None:
    time = START + 10 * SLOT
    world.log.append(0, one(time), time)
    before = objects(world.bucket)
    report = replay(world, now=time + SLOT + 1000)[SEGMENTS]
    assert (report.state, report.start, report.end, report.done) == ("open", 13, 14, False)
    assert "live group" in report.reason
    assert objects(world.bucket) == before
    report = replay(world, now=time + SLOT + 1001)[SEGMENTS]  # past mark and grace: over for everybody
    assert (report.state, report.done) == ("missing", True)
    world.run()
    assert world.chain()[-1].end == 14


def test_what_the_log_no_longer_holds_is_said_segment_by_segment(world: Rehearsal) -> None:
    world.log.lose_before(1, 5)
    for block in blocks_of(world):
        remove(world, block)
    reports = replay(world, Selection((1,)))
    assert [report.state for report in reports] == ["refused", "refused", "incomplete", "incomplete"]
    assert "gone=3 of=3" in reports[0].reason
    assert "gone=2 of=3 log_start=5" in reports[1].reason
    remove(world, layout.manifest_key("log", 1, 0))
    assert [report.state for report in replay(world, Selection((1,)))] == ["refused", "refused", "whole", "whole"]


def test_blocks_of_a_log_that_is_gone_are_verified_and_not_rebuilt(world: Rehearsal) -> None:
    world.log.log_id = "another"
    world.log.partitions = [[], []]
    assert [report.state for report in replay(world)] == ["whole"] * 2 * SEGMENTS
    remove(world, blocks_of(world)[0])
    (report,) = [report for report in replay(world) if report.state != "whole"]
    assert report.state == "refused"
    assert "log_id=log log_id_now=another" in report.reason


def test_a_damaged_log_does_not_change_published_blocks(world: Rehearsal) -> None:
    world.log.partitions[1][4] = world.log.partitions[1][4]._replace(value=b"", damaged="lost")
    for block in blocks_of(world):
        remove(world, block)
    reports = replay(world, Selection((1,)))
    assert [report.state for report in reports] == ["incomplete", "refused", "incomplete", "incomplete"]
    assert "other blocks" in reports[1].reason


def test_a_crash_before_every_write_and_a_second_run_leave_the_same_objects(world: Rehearsal) -> None:
    expected = mend(objects(world.bucket))
    whole = world.bucket
    steps = 0
    while True:
        bucket = MemoryBucket()
        for key, data in objects(whole).items():
            if not key.startswith((layout.SEGMENTS + "log/0", blocks_of(world)[1])):
                bucket.put(key, data)
        plan = CrashAtWrite(steps)
        broken = Rehearsal(world.log, FaultyBucket(bucket, plan), world.directory)
        try:
            replay(broken)
        except Crash:
            broken.bucket = bucket
            replay(broken)
        assert mend(objects(bucket)) == expected
        if not plan.reached:
            break
        steps += 1
    assert steps > 20


def test_ranges_by_offset_and_by_time_take_segments_whole(world: Rehearsal) -> None:
    def starts(selection: Selection) -> list[tuple[int, int]]:
        return [(report.partition, report.start) for report in replay(world, selection)]

    assert starts(Selection((1,), Offset(4), Offset(7))) == [(1, 3), (1, 6)]
    assert starts(Selection((1,), Offset(3), Offset(6))) == [(1, 3)]
    assert starts(Selection((1,), Offset(12), None)) == []
    middle = Time(START + SLOT + 1)
    assert starts(Selection((), middle, Time(START + 2 * SLOT))) == [(0, 3), (1, 3)]
    assert starts(Selection((), None, Time(START))) == []
    world.log.lose_before(1, 12)  # times are found by the manifests, then
    assert starts(Selection((1,), middle, Time(START + 2 * SLOT))) == [(1, 3)]
    assert starts(Selection((1,), middle, Time(START + 2 * SLOT + 1))) == [(1, 3), (1, 6)]
    with pytest.raises(BadSelection, match="one partition"):
        replay(world, Selection((), Offset(1), None))
    with pytest.raises(BadSelection, match="no such partition"):
        replay(world, Selection((7,)))


def test_an_offset_is_found_by_its_time() -> None:
    log = MemoryLog()
    assert offset_for_time(MemoryReader(log), 0, 5) == 0
    for time in (10, 10, 20, 30):
        log.append(0, b"v", time)
    log.put(log.partitions[0][-1]._replace(offset=100, append_time=40))  # offsets may leap
    log.lose_before(0, 1)
    reader = MemoryReader(log)
    found = [offset_for_time(reader, 0, time) for time in (0, 10, 11, 20, 25, 31, 40, 41)]
    assert found == [1, 1, 2, 2, 3, 4, 4, 101]
