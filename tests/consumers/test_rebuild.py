"""A rebuild puts new blocks in place of old ones at one moment: each sample is read once before, then, and after."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket import layout
from bucket.audit import audit
from bucket.bucket import Bucket
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket, Outcome
from bucket.manifests import ManifestStore
from consumers.replay_range import Offset, Selection
from forebay.units import Duration
from tests.consumers.rebuilding import PER_SEGMENT, SEGMENTS, WINDOW, Read, World, read
from tests.consumers.rehearsal import SLOT, START, objects, one
from tests.consumers.replaying import replay

WRITES = frozenset({"put", "put_file", "create", "replace", "delete"})


def without_marks(bucket: Bucket) -> dict[str, bytes]:
    return {key: data for key, data in objects(bucket).items() if not key.endswith(layout.DELETION_MARK)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).publish()


def relabel(world: World) -> None:
    world.external_labels = {"cluster": "us1"}


def lengthen(world: World) -> None:
    """Segments three times as long: they no longer end where the old ones did."""
    world.segment = type(world.segment)(interval=Duration(3 * SLOT), grace=Duration(1000))


CHANGES = [relabel, lengthen]
STATES: list[Callable[[World], object]] = [lambda world: world, World.compact_and_clean]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("state", STATES, ids=["segments", "compacted"])
def test_a_rebuild_leaves_each_sample_once(
    world: World, change: Callable[[World], None], state: Callable[[World], object]
) -> None:
    state(world)
    before = objects(world.bucket)
    change(world)
    planned = replay(world, rebuild=True, dry_run=True)
    assert objects(world.bucket) == before
    reports = replay(world, rebuild=True)
    assert {(report.state, report.done) for report in reports} == {("stale", True)}
    assert [report.blocks for report in planned] == [report.blocks for report in reports]
    assert {ulid for report in reports for ulid in report.replaces} == {
        entry.ulid
        for partition in range(2)
        for start in range(0, SEGMENTS * PER_SEGMENT, PER_SEGMENT)
        for entry in getattr(ManifestStore(world.bucket).original("log", partition, start), "blocks", ())
    }
    world.check()
    ends = [PER_SEGMENT * n for n in range(1, SEGMENTS + 1)] if change is relabel else [9, 12]
    assert [manifest.end for manifest in world.chain(0)] == ends
    assert world.labels() == {world.external_labels["cluster"]}
    after = objects(world.bucket)
    assert {report.state for report in replay(world, rebuild=True)} == {"whole"}
    assert objects(world.bucket) == after
    world.clock.advance(4 * WINDOW / 1000)
    world.compact()
    world.check()
    world.clock.advance(49 * 3600)
    world.compact()  # what was replaced is gone now
    world.check()
    assert len(list(world.bucket.list_dirs(""))) == 3 + 1  # a's two windows, b's one, and forebay/
    world.log.append(0, one(START + 30 * SLOT), START + 30 * SLOT, tenant=b"a")
    world.run()  # consumers go on behind it
    assert world.chain(0)[-1].start == SEGMENTS * PER_SEGMENT


class Between:
    """Before each write of a bucket, does something; with a count of them."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do = do
        self.writes = 0
        self.key = ""

    def next(self, operation: str, key: str) -> Outcome:
        if operation in WRITES:
            self.writes += 1
            self.key = key
            self.do()
        return Outcome()


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_reads_a_sample_twice_or_not_at_all_meanwhile(world: World, change: Callable[[World], None]) -> None:
    """Part of one partition, of windows that were compacted and whose sources are gone."""
    world.compact_and_clean()
    inner, between = world.bucket, Between(lambda: None)
    between.do = lambda: _same(read(inner), world.expected)
    change(world)
    world.bucket = FaultyBucket(inner, between)
    replay(world, Selection((0,), Offset(3), Offset(7)), rebuild=True)
    world.bucket = inner
    world.check()
    assert between.writes > 20


def _same(found: Read, expected: Read) -> None:
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("wait", [0, 49 * 3600])
def test_a_compactor_at_work_between_any_two_writes_does_no_harm(
    tmp_path: Path, change: Callable[[World], None], wait: int
) -> None:
    """A run of it, and of its clean-up, before the first write, before the fourth, and so on."""
    base = World(tmp_path, 2).publish().compact_and_clean()
    late = one(START - 600_000, 99, late="yes")
    base.log.append(1, late, START + 40 * SLOT, tenant=b"a")
    base.run()  # what is late makes the compactor merge the output again
    base.expected = read(base.bucket)
    change(base)
    step, writes = 1, 1
    while step <= writes:
        world = base.copy()
        writes = _rebuild_beside_a_compactor(world, step, wait)
        world.check()
        for _ in range(2):
            world.clock.advance(49 * 3600)
            world.compact()
            world.check()
        step += 3
    assert writes > 20


def _rebuild_beside_a_compactor(world: World, step: int, wait: int) -> int:
    """How many writes the rebuild made; the compactor comes before the one with this number."""
    inner, between = world.bucket, Between(lambda: None)

    def work() -> None:
        if between.writes == step:
            world.compact(inner)
            if not between.key.startswith(layout.GENERATIONS):  # which follows a last look at once
                world.clock.advance(wait)
                world.compact(inner)
        if step <= between.writes < step + 3:
            assert read(inner) == world.expected

    between.do = work
    world.bucket = FaultyBucket(inner, between)
    replay(world, Selection((0,), Offset(3), Offset(6)), rebuild=True)
    world.bucket = inner
    return between.writes


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=["segments", "compacted"])
def test_a_crash_before_every_write_and_a_second_run_leave_the_same(
    tmp_path: Path, state: Callable[[World], object]
) -> None:
    selection = Selection((0,), Offset(3), Offset(6))
    base = World(tmp_path, 2).publish()
    state(base)
    relabel(base)
    quiet = base.copy()
    replay(quiet, selection, rebuild=True)
    left = without_marks(quiet.bucket)
    step, crashed = 0, True
    while crashed:
        world = base.copy()
        inner, plan = world.bucket, CrashAtWrite(step)
        world.bucket = FaultyBucket(inner, plan)
        try:
            replay(world, selection, rebuild=True)
        except Crash:
            assert read(inner) == world.expected
        crashed = plan.reached
        world.bucket = inner
        replay(world, selection, rebuild=True)
        assert without_marks(inner) == left
        world.check()
        step += 1
    assert step > 8


def test_of_two_rebuilds_at_once_the_slower_one_looks_again(world: World) -> None:
    world.compact_and_clean()
    inner, rival = world.bucket, World(world.directory / "rival")
    rival.bucket = inner
    lengthen(rival)
    relabel(world)

    class Overtake:
        done = False

        def next(self, operation: str, key: str) -> Outcome:
            if operation == "create" and key.startswith(layout.GENERATIONS) and not self.done:
                self.done = True
                assert {report.done for report in replay(rival, rebuild=True)} == {True}
            return Outcome()

    world.bucket = FaultyBucket(inner, Overtake())
    replay(world, rebuild=True)
    world.bucket = inner
    assert sum(1 for _ in inner.list(layout.GENERATIONS)) == 2
    assert world.labels() == {"us1"}
    world.check()
    world.clock.advance(49 * 3600)
    world.compact()
    world.compact()
    world.check()


def test_many_rebuilds_at_once_end_in_one_of_them(world: World) -> None:
    failures: list[BaseException] = []

    def work(label: str) -> None:
        own = World(world.directory / label)
        own.bucket = world.bucket
        own.external_labels = {"cluster": label}
        try:
            replay(own, rebuild=True)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(label,)) for label in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert read(world.bucket) == world.expected
    for thread in threads:
        thread.join()
    assert failures == []
    world.check()


def test_going_back_to_the_settings_before_brings_the_old_blocks_back(world: World) -> None:
    world.compact_and_clean()
    relabel(world)
    replay(world, rebuild=True)
    world.compact()  # marks what was replaced
    world.external_labels = {"cluster": "eu1"}
    world.clock.advance(24 * 3600)
    replay(world, rebuild=True)
    world.check()
    assert world.labels() == {"eu1"}
    for _ in range(3):
        world.clock.advance(49 * 3600)
        world.compact()
        world.check()


def test_a_compactor_that_remembers_old_marks_leaves_alone_what_is_written_again(world: World) -> None:
    relabel(world)
    replay(world, rebuild=True)
    compactor, inner = world.compactor(), world.bucket
    compactor.run_once()  # marks what was replaced
    world.clock.advance(47 * 3600)
    compactor.run_once()  # reads the marks
    world.clock.advance(2 * 3600)
    world.external_labels = {"cluster": "eu1"}

    def clean() -> None:
        if between.key.startswith(layout.GENERATIONS):
            compactor.run_once()

    between = Between(clean)
    world.bucket = FaultyBucket(inner, between)
    replay(world, rebuild=True)
    world.bucket = inner
    world.check()


def test_neighbours_that_nobody_can_bring_back_are_in_the_way(world: World) -> None:
    world.compact_and_clean()
    world.log.lose_before(1, 6)
    relabel(world)
    before = objects(world.bucket)
    for dry_run in (True, False):
        reports = replay(world, Selection((0,)), rebuild=True, dry_run=dry_run)
        assert {report.state for report in reports} == {"refused"}
        assert "compacted with these is gone" in reports[0].reason
        assert "gone=3 of=3" in reports[0].reason
        assert "copy of the bucket" in reports[0].hint
    assert {key: data for key, data in objects(world.bucket).items() if key in before} == before
    world.check()


def test_records_that_are_gone_leave_their_segments_alone(world: World) -> None:
    world.log.lose_before(0, 4)
    relabel(world)
    reports = replay(world, rebuild=True)
    states = [(report.partition, report.start, report.state) for report in reports if report.state == "refused"]
    assert states == [(0, 0, "refused"), (0, 3, "refused")]
    world.check()
    assert world.labels() == {"eu1", "us1"}


def test_a_log_that_was_damaged_since_replaces_nothing(world: World) -> None:
    world.log.partitions[0][4] = world.log.partitions[0][4]._replace(value=b"", damaged="lost")
    relabel(world)
    reports = replay(world, Selection((0,)), rebuild=True)
    assert {report.state for report in reports} == {"refused"}
    assert "fewer samples" in reports[0].reason
    world.check()


def test_what_is_missing_is_filled_before_it_is_rebuilt_and_rolled_up_manifests_stay(world: World) -> None:
    store = ManifestStore(world.bucket)
    for _ in range(2):
        store.roll_up("log", 0, keep=1, size=3)
    world.bucket.delete(layout.manifest_key("log", 1, 3))
    lengthen(world)
    reports = replay(world, Selection((0,), Offset(3), Offset(9)), rebuild=True)
    assert [(report.start, report.end) for report in reports] == [(3, 9)]
    assert [manifest.end for manifest in world.chain(0)] == [3, 9, 12]
    assert store.get("log", 0, 6) == world.chain(0)[1]
    original = store.original("log", 0, 6)
    assert original is not None
    assert (original.start, original.end) == (6, 9)
    assert store.create(original) == world.chain(0)[1]  # a zombie adopts what stands now


def test_a_lost_manifest_of_compacted_blocks_comes_back_by_its_own_settings_only(world: World) -> None:
    world.compact_and_clean()
    before = objects(world.bucket)
    world.bucket.delete(layout.manifest_key("log", 1, 3))
    relabel(world)
    (report,) = [each for each in replay(world) if each.state != "whole"]
    assert (report.state, report.partition, report.start) == ("refused", 1, 3)
    assert "by other settings are there" in report.reason
    reports = replay(world, rebuild=True, dry_run=True)
    assert {each.state for each in reports} == {"refused"}  # nobody knows what its blocks were made of
    assert any("no manifest names blocks that were compacted with these" in each.reason for each in reports)
    world.external_labels = {"cluster": "eu1"}
    (report,) = [each for each in replay(world) if each.state != "whole"]
    assert {block.state for block in report.blocks} == {"compacted"}
    assert objects(world.bucket) == before
    world.check()


def test_an_audit_sees_a_generation_that_is_gone(world: World) -> None:
    relabel(world)
    replay(world, Selection((0,)), rebuild=True)
    replay(world, Selection((1,)), rebuild=True)
    world.bucket.delete(layout.generation_key("log", 1))
    report = audit(world.bucket, now_ms=world.clock.now_ms())
    assert [each.code for each in report.discrepancies] == ["manifest-corrupt"]
    assert layout.generation_key("log", 1) in report.discrepancies[0].message
