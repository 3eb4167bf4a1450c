"""Segments of a closed window become one block; what is read never changes."""

import contextlib
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bucket.blocks import BlockCatalog
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket, Outcome, SeededFaults
from bucket.filesystem import FilesystemBucket
from bucket.layout import DELETION_MARK, block_key
from compactor.compactor import Summary
from compactor.settings import CompactorSettings
from forebay.errors import Fatal, Retryable
from forebay.units import Duration, Size
from tests.compactor.world import HOUR, WINDOW, Samples, World
from tsdb.meta import decode

FIRST = {"up": {WINDOW + t: 1 for t in range(0, 3000, 10)}, "down": {WINDOW + 5: 7}}
SECOND = {"up": {WINDOW + t: 2 for t in range(2500, 6000, 10)}}
OTHER = {"left": {WINDOW + 1: 3}}
LATE = {"up": {WINDOW + 7: 9, WINDOW + 10: 9}}


def expected(*parts: dict[str, Samples]) -> dict[str, Samples]:
    found: dict[str, Samples] = {}
    for part in parts:
        for name, samples in part.items():
            found[name] = samples | found.get(name, {})
    return found


def fill(world: World) -> list[str]:
    return [world.publish(0, 0, FIRST), world.publish(0, 10, SECOND), world.publish(1, 3, OTHER)]


def outputs(world: World) -> list[str]:
    return [block.ulid for block in BlockCatalog(world.bucket).live() if block.level > 1]


def marked(world: World) -> set[str]:
    return {key.partition("/")[0] for key in world.objects() if key.endswith(DELETION_MARK)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_open_window_is_left_alone(world: World) -> None:
    fill(world)
    world.clock.advance(3 * HOUR - 1)
    before = world.objects()
    assert world.compactor().run_once() == Summary(0, 0, 0, 0, 0)
    assert world.objects() == before


def test_a_closed_window_becomes_one_block_and_its_sources_are_marked(world: World) -> None:
    sources = fill(world)
    world.close_window()
    assert world.compactor().run_once() == Summary(compacted=1, failed=0, marked=3, removed=0, rolled_up=0)
    (output,) = outputs(world)
    assert marked(world) == set(sources)
    assert world.read_block(output) == world.read() == expected(FIRST, SECOND, OTHER)
    meta = decode(world.bucket.get(block_key(output, "meta.json")))
    assert (meta.min_time, meta.max_time) == (WINDOW, WINDOW + 5991)
    assert meta.compaction.level == 2
    assert meta.compaction.sources == tuple(sorted(sources))
    assert [parent.ulid for parent in meta.compaction.parents] == [sources[0], sources[2], sources[1]]
    assert meta.thanos is not None
    assert meta.labels == {"cluster": "eu1", "tenant_id": "t"}
    assert meta.thanos.upload_time == "2023-11-15T00:00:00.010Z"
    assert meta.thanos.extensions == {
        "forebay": {
            "compacted": True,
            "tenant": "t",
            "window": WINDOW,
            "blocks": 3,
            "samples": {"read": 652, "written": 602, "duplicate": 0, "conflicting": 50},
        }
    }
    sizes = {info.key: info.size for info in world.bucket.list(f"{output}/")}
    assert {f"{output}/{file.rel_path}" for file in meta.thanos.files} == set(sizes)
    assert all(sizes[f"{output}/{file.rel_path}"] == file.size_bytes for file in meta.thanos.files if file.size_bytes)
    again = world.objects()
    assert world.compactor().run_once() == Summary(0, 0, 0, 0, 0)
    assert world.objects() == again


def test_tenants_and_windows_and_streams_are_kept_apart(world: World) -> None:
    later = WINDOW + 7_200_000
    for start, tenant, window in ((0, "a", WINDOW), (10, "a", WINDOW), (20, "b", WINDOW), (30, "a", later)):
        world.publish(0, start, {tenant: {window + start: start}}, tenant=tenant, window=window)
    world.close_window()
    world.clock.advance(2 * HOUR)
    assert world.compactor().run_once().compacted == 1
    assert world.read("a") == {"a": {WINDOW: 0, WINDOW + 10: 10, later + 30: 30}}
    assert world.read("b") == {"b": {WINDOW + 20: 20}}


def test_late_data_makes_a_second_job_of_the_output_and_the_newcomer(world: World) -> None:
    fill(world)
    world.close_window()
    compactor = world.compactor()
    compactor.run_once()
    (first,) = outputs(world)
    late = world.publish(0, 20, LATE)
    assert world.read() == expected(FIRST, SECOND, OTHER, LATE)
    assert compactor.run_once() == Summary(compacted=1, failed=0, marked=2, removed=0, rolled_up=0)
    (second,) = set(outputs(world)) - {first}
    meta = decode(world.bucket.get(block_key(second, "meta.json")))
    assert [parent.ulid for parent in meta.compaction.parents] == [first, late]
    assert (meta.compaction.level, len(meta.compaction.sources)) == (3, 4)
    assert world.read_block(second) == world.read() == expected(FIRST, SECOND, OTHER, LATE)
    world.clock.advance(49 * HOUR)
    assert compactor.run_once().removed == 5
    assert world.ulids() == [second]
    assert world.read() == expected(FIRST, SECOND, OTHER, LATE)


def test_names_and_bytes_follow_from_sources_and_recipe_alone(tmp_path: Path) -> None:
    found = []
    for number, late in enumerate((0.0, 90 * HOUR)):
        path = tmp_path / str(number)
        path.mkdir()
        bucket = FilesystemBucket(path / "bucket") if number else None
        world = World(path, bucket)
        fill(world)
        world.close_window()
        world.clock.advance(late)
        world.compactor().run_once()
        found.append(world.block_objects())
    assert found[0] == found[1]
    world = World(tmp_path)
    fill(world)
    world.close_window()
    world.compactor(settings=CompactorSettings(segment_bytes=Size(1 << 20))).run_once()
    assert not set(outputs(world)) & {key.partition("/")[0] for key in found[0]}


def finish(world: World) -> dict[str, bytes]:
    """What two jobs and a clean-up leave."""
    compactor = world.compactor()
    for _ in range(3):
        compactor.run_once()
    world.clock.advance(49 * HOUR)
    for _ in range(3):
        compactor.run_once()
    return world.block_objects()


class CrashAtCall(CrashAtWrite):
    """Counts reads as well."""

    def next(self, operation: str, key: str) -> Outcome:
        return super().next("put", key)


def test_a_crash_at_any_call_changes_nothing_of_what_is_read_or_left(tmp_path: Path) -> None:
    quiet = World(tmp_path)
    fill(quiet)
    quiet.close_window()
    left = finish(quiet)
    step, crashed, wanted = 0, True, expected(FIRST, SECOND, OTHER)
    while crashed:
        world = World(tmp_path)
        fill(world)
        world.close_window()
        plan = CrashAtCall(step)
        compactor = world.compactor(FaultyBucket(world.bucket, plan))
        try:
            compactor.run_once()
            world.clock.advance(49 * HOUR)
            compactor.run_once()
        except Crash:
            assert world.read() == wanted
        crashed = plan.reached
        assert finish(world) == left, step
        assert world.read() == wanted
        step += 1
    assert step > 50


@pytest.mark.parametrize("seed", range(12))
def test_a_bucket_that_fails_and_loses_answers_is_outlasted(tmp_path: Path, seed: int) -> None:
    quiet, world = World(tmp_path), World(tmp_path)
    for one in (quiet, world):
        fill(one)
        one.close_window()
    faults = FaultyBucket(world.bucket, SeededFaults(seed, {"fail": 0.05, "lose_answer": 0.05}))
    compactor = world.compactor(faults)
    for attempt in range(200):
        with contextlib.suppress(Retryable):
            compactor.run_once()
        if attempt == 100:
            world.clock.advance(49 * HOUR)
    assert finish(world) == finish(quiet)
    assert world.read() == expected(FIRST, SECOND, OTHER)


def test_two_at_once_do_no_harm(world: World) -> None:
    fill(world)
    world.close_window()
    failures: list[BaseException] = []
    begun = threading.Barrier(3)

    def work() -> None:
        compactor = world.compactor()
        begun.wait()
        try:
            for _ in range(20):
                compactor.run_once()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait()
    for start in range(20, 60, 10):
        world.publish(0, start, {"up": {WINDOW + start: start}})
        assert set(world.read()) == {"up", "down", "left"}
    for thread in threads:
        thread.join()
    assert failures == []
    finish(world)
    wanted = expected(FIRST, SECOND, OTHER, *({"up": {WINDOW + s: s}} for s in range(20, 60, 10)))
    assert world.read() == wanted
    (last,) = world.ulids()
    assert world.read_block(last) == wanted


def test_an_output_that_lost_a_file_is_made_again(world: World) -> None:
    fill(world)
    world.close_window()
    world.compactor().run_once()
    before = world.objects()
    (output,) = outputs(world)
    world.bucket.delete(block_key(output, "chunks/000001"))
    world.clock.advance(49 * HOUR)
    assert world.compactor().run_once().compacted == 1
    assert world.objects() == before


def test_a_damaged_source_stops_its_own_window_only(world: World) -> None:
    damaged = world.publish(0, 0, FIRST)
    world.publish(0, 10, SECOND)
    for start in (20, 30):
        world.publish(0, start, {"up": {WINDOW + start: 1}}, tenant="well")
    data = world.bucket.get(block_key(damaged, "chunks/000001"))
    world.bucket.put(block_key(damaged, "chunks/000001"), data[:50] + bytes([data[50] ^ 1]) + data[51:])
    world.close_window()
    compactor = world.compactor()
    summary = compactor.run_once()
    assert (summary.compacted, summary.failed, summary.marked) == (1, 1, 2)
    assert "tenant=t" in compactor.problem
    assert not marked(world) & {damaged}


def test_old_manifests_are_rolled_up(world: World) -> None:
    for start in range(0, 4000, 10):
        world.publish(0, start, {"up": {WINDOW + start: 1}}, whole=False)
    compactor = world.compactor()
    assert compactor.run_once().rolled_up == 0
    assert compactor.run_once().rolled_up == 0
    world.clock.advance(HOUR)
    assert compactor.run_once().rolled_up == 256


def test_it_runs_until_stopped_and_outlasts_what_may_pass(world: World) -> None:
    fill(world)
    world.close_window()
    stop = threading.Event()

    class Plan:
        calls = 0

        def next(self, operation: str, key: str) -> Outcome:
            self.calls += 1
            if operation == "create":
                stop.set()
            return Outcome("fail" if self.calls < 3 else "none")

    settings = CompactorSettings(interval=Duration(1))
    compactor = world.compactor(FaultyBucket(world.bucket, Plan()), settings)
    compactor.run(stop)
    assert len(outputs(world)) == 1
    assert compactor.problem == ""


def test_what_cannot_pass_ends_it(world: World) -> None:
    class Plan:
        def next(self, operation: str, key: str) -> Outcome:
            raise Fatal("no permission")

    compactor = world.compactor(FaultyBucket(world.bucket, Plan()))
    with pytest.raises(Fatal):
        compactor.run(threading.Event())
    assert compactor.problem == "no permission"


def test_metrics_tell_what_a_run_did(world: World) -> None:
    fill(world)
    world.close_window()
    registry = CollectorRegistry()
    compactor = world.compactor(registry=registry)
    compactor.run_once()
    compactor.run_once()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"forebay_compactor_{name}", labels)

    assert value("runs_total", outcome="success") == 2
    assert value("last_success_timestamp_seconds") == world.clock.now_ms() / 1000
    assert value("blocks", kind="segment") == 3
    assert value("blocks", kind="compacted") == 1
    assert value("jobs_planned") == 0
    assert value("jobs_total", outcome="success") == 1
    assert value("source_blocks_total") == value("marked_blocks_total") == 3
    assert value("samples_total", outcome="written") == 602
    assert value("samples_total", outcome="conflicting") == 50
    assert value("removed_blocks_total", reason="superseded") == 0
    world.clock.advance(49 * HOUR)
    compactor.run_once()
    assert value("removed_blocks_total", reason="superseded") == 3
