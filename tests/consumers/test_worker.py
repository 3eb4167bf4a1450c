"""Records in, blocks out: the whole consumer over a log in memory."""

from pathlib import Path

import pytest
import structlog
from structlog.testing import CapturingLogger

from broker.log import LogUnavailable, Record
from broker.quarantine import RecordId
from broker.record import UnsupportedRecord, new_headers
from bucket.bucket import BucketUnavailable
from bucket.faulty import FaultyBucket, SeededFaults
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from consumers.assignment import LogWentBack
from consumers.quarantine import BucketQuarantine
from forebay.errors import Fatal
from forebay.units import Duration, Size
from tests.consumers.memory_log import MemoryLog, MemorySubscription
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, one, stored
from tsdb import meta


@pytest.fixture
def world(tmp_path: Path) -> Rehearsal:
    return Rehearsal(MemoryLog(), MemoryBucket(), tmp_path / "staging")


def fill(log: MemoryLog, records: int = 10, *, partition: int = 0, step: int = SLOT // 2) -> None:
    """Records of one sample each, whose value is their offset."""
    for _ in range(records):
        offset = log.end(partition)
        at = START + offset * step
        log.append(partition, one(at, offset, job=f"p{partition}"), at)


def test_the_log_becomes_a_chain_of_segments_and_every_sample_is_stored_once(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log)
    world.run()
    chain = world.chain()
    assert [(manifest.start, manifest.end, manifest.ended_by) for manifest in chain] == [
        (0, 2, "mark"),
        (2, 4, "mark"),
        (4, 6, "mark"),
        (6, 8, "mark"),
        (8, 10, "idle"),
    ]
    assert sorted(stored(world.bucket, chain, tmp_path).values()) == list(range(10))
    assert world.log.committed == {0: 10}
    assert world.metric("segments_total", ended_by="mark") == 4
    assert world.metric("samples_total", outcome="stored") == 10
    assert not list((tmp_path / "staging").glob("**/*"))


def test_a_block_says_in_thanos_words_what_it_is(world: Rehearsal) -> None:
    fill(world.log, 2)
    world.run()
    (manifest,) = world.chain()
    (block,) = manifest.blocks
    found = meta.decode(world.bucket.get(f"{block.ulid}/meta.json"))
    assert (found.ulid, found.min_time, found.max_time) == (block.ulid, block.min_time, block.max_time + 1)
    assert found.compaction.sources == (block.ulid,)
    assert found.thanos is not None
    assert found.labels == {"cluster": "eu1", "tenant_id": "tenant"}
    assert found.thanos.upload_time == "2023-11-15T00:00:30.000Z"
    assert [(file.rel_path, file.size_bytes) for file in found.thanos.files] == [
        (file.path, file.size if file.path != "meta.json" else 0) for file in block.files
    ]
    assert found.thanos.extensions == {
        "forebay": {
            "log_id": "log",
            "partition": 0,
            "start": 0,
            "end": 2,
            "tenant": "tenant",
            "window": START,
            "recipe": manifest.recipe_digest,
        }
    }


def test_tenants_and_windows_have_blocks_of_their_own(world: Rehearsal, tmp_path: Path) -> None:
    for tenant in (b"b", b"a"):
        for window in (1, 0):
            world.log.append(0, one(START - window * 7_200_000, window), START, tenant=tenant)
    world.run()
    (manifest,) = world.chain()
    assert [(block.tenant, block.window) for block in manifest.blocks] == [
        (tenant, START + window) for tenant in "ab" for window in (-7_200_000, 0)
    ]
    assert {tenant: ledger.stored for tenant, ledger in manifest.ledger.items()} == {"a": 2, "b": 2}
    assert len(stored(world.bucket, [manifest], tmp_path)) == 4


def test_a_restart_in_the_middle_of_a_segment_changes_no_byte(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 30, step=SLOT // 7)
    quiet = Rehearsal(world.log, MemoryBucket(), tmp_path / "quiet")
    quiet.run()
    for most in (1, 2, 3, 5, 8):
        world.run(batch=3, stop_after=most)
    world.run()
    assert objects(world.bucket) == objects(quiet.bucket)


def test_a_wiped_group_changes_nothing(world: Rehearsal) -> None:
    fill(world.log, 10)
    world.run()
    before = objects(world.bucket)
    world.log.committed.clear()
    fill(world.log, 4)
    world.run()
    assert {key: data for key, data in objects(world.bucket).items() if key in before} == before
    assert world.chain()[-1].end == 14


def test_a_mark_and_an_idle_end_put_the_same_end(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 2)
    world.run()
    assert world.chain()[0].ended_by == "idle"
    fill(world.log, 2)
    marked = Rehearsal(world.log, MemoryBucket(), tmp_path / "marked")
    marked.run()
    assert marked.chain()[0].ended_by == "mark"
    assert marked.chain()[0].end == world.chain()[0].end
    assert marked.chain()[0].blocks == world.chain()[0].blocks


def test_bytes_end_a_segment(world: Rehearsal) -> None:
    fill(world.log, 6, step=1)
    record = world.log.partitions[0][0]
    world.max_bytes(2 * (len(record.key) + len(record.value)))
    world.run()
    assert [(manifest.end, manifest.ended_by) for manifest in world.chain()] == [
        (2, "bytes"),
        (4, "bytes"),
        (6, "bytes"),
    ]


def test_two_consumers_on_copies_of_the_log_publish_the_same_objects(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 20, step=SLOT // 3)
    other = Rehearsal(world.log, MemoryBucket(), tmp_path / "other")
    world.run(batch=1)
    other.run(batch=50)
    assert objects(world.bucket) == objects(other.bucket)


def test_poison_goes_to_quarantine_and_the_chain_goes_on(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 1)
    poison = [
        world.log.append(0, b"\xff\xff\xff", START),
        world.log.append(0, one(START), START, tenant=b"\xff"),
        world.log.put(Record(0, 3, START, b"tenant", one(START))),  # no version
        world.log.put(Record(0, 4, START, b"tenant", b"", new_headers(), "page is damaged")),
    ]
    fill(world.log, 3)
    world.run()
    first = world.chain()[0]
    assert [(entry.offset, entry.tenant) for entry in first.quarantined] == [
        (1, "tenant"),
        (2, ""),
        (3, ""),
        (4, "tenant"),
    ]
    assert first.quarantined[3].reason == "page is damaged"
    assert first.ledger["tenant"].records == 1
    quarantine = BucketQuarantine(world.bucket)
    for record in poison:
        assert quarantine.get(RecordId("log", 0, record.offset)).record() == record
    assert world.metric("quarantined_records_total") == 4
    assert world.chain()[-1].end == 8
    assert sorted(stored(world.bucket, world.chain(), tmp_path).values()) == [0, 5, 6, 7]


def test_a_segment_of_poison_alone_has_a_manifest_and_no_block(world: Rehearsal) -> None:
    world.log.append(0, b"\xff\xff\xff", START)
    world.run()
    (manifest,) = world.chain()
    assert (manifest.start, manifest.end, manifest.blocks, manifest.ledger) == (0, 1, (), {})
    assert len(manifest.quarantined) == 1


def test_a_newer_record_stops_the_consumer_and_stays_in_the_log(world: Rehearsal) -> None:
    fill(world.log, 1)
    world.log.put(Record(0, 1, START, b"tenant", b"?", (("forebay-version", b"3"),)))
    with pytest.raises(UnsupportedRecord):
        world.run()
    assert world.chain() == []
    assert list(world.bucket.list("forebay/quarantine/")) == []
    assert world.metric("unsupported_records_total") == 1


def test_what_retention_took_before_it_was_read_stands_in_the_manifest(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 4)
    world.run()
    fill(world.log, 8)
    world.log.lose_before(0, 7)
    world.run()
    assert [(manifest.start, manifest.end, manifest.gap) for manifest in world.chain()[2:]] == [
        (4, 8, (4, 7)),
        (8, 10, None),
        (10, 12, None),
    ]
    assert world.metric("lost_offsets_total") == 3


def test_what_retention_took_in_the_middle_ends_the_segment_before_it(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 6, step=1)

    def lose() -> None:
        if world.polls == 2:
            world.log.lose_before(0, 4)

    world.run(batch=2, each_poll=lose)
    assert [(manifest.start, manifest.end, manifest.ended_by, manifest.gap) for manifest in world.chain()] == [
        (0, 2, "gap", None),
        (2, 6, "idle", (2, 4)),
    ]
    assert sorted(stored(world.bucket, world.chain(), tmp_path).values()) == [0, 1, 4, 5]


def test_a_log_that_went_back_stops_the_consumer(world: Rehearsal) -> None:
    fill(world.log, 10)
    world.run()
    del world.log.partitions[0][3:]
    with pytest.raises(LogWentBack, match="end_offset=3 manifest_end=10"):
        world.run()


def test_nothing_is_published_of_records_that_may_be_another_logs(world: Rehearsal) -> None:
    fill(world.log, 10)
    world.log.recreated = True
    with pytest.raises(Fatal, match="another log has its place"):
        world.run()
    assert objects(world.bucket) == {}


def test_a_log_that_the_bucket_does_not_know_is_told(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 10)
    told = CapturingLogger()
    world.logger = structlog.wrap_logger(told, processors=[])

    def warnings() -> list[dict[str, object]]:
        return [call.kwargs for call in told.calls if "does not know this log" in call.kwargs["event"]]

    world.run()
    world.run()
    assert world.metric("log_info", log_id="log") == 1
    assert warnings() == []
    again = Rehearsal(MemoryLog("another"), world.bucket, tmp_path / "again")
    again.logger = world.logger
    fill(again.log, 3)
    again.run()
    (warning,) = warnings()
    assert (warning["log_id"], warning["known"]) == ("another", ["log"])
    assert [manifest.start for manifest in again.chain()] == [0, 2]


def test_anothers_manifest_is_adopted_and_its_end_is_where_we_go_on(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 10)
    rival = Rehearsal(world.log, MemoryBucket(), tmp_path / "rival")
    rival.segment = type(rival.segment)(interval=Duration(SLOT * 3), grace=Duration(1000))
    rival.run()
    theirs = rival.chain()[0]
    assert theirs.end == 6

    def publish_first() -> None:
        """Just before our first segment is done."""
        if world.polls == 1:
            for key, data in objects(rival.bucket).items():
                if any(key.startswith(block.ulid) for block in theirs.blocks):
                    world.bucket.put(key, data)
            ManifestStore(world.bucket).create(theirs)

    world.run(batch=100, each_poll=publish_first)
    assert [(manifest.start, manifest.end) for manifest in world.chain()] == [(0, 6), (6, 8), (8, 10)]
    assert world.metric("segments_adopted_total") == 1
    assert sorted(stored(world.bucket, world.chain(), tmp_path).values()) == list(range(10))


def test_a_bucket_that_fails_half_the_time_loses_nothing(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 20)
    quiet = Rehearsal(world.log, MemoryBucket(), tmp_path / "quiet")
    quiet.run()
    inner = world.bucket
    world.bucket = FaultyBucket(inner, SeededFaults(7, {"fail": 0.25, "lose_answer": 0.25}))
    world.run()
    assert objects(inner) == objects(quiet.bucket)
    assert world.metric("publish_failures_total") > 0


def test_an_outage_of_the_bucket_is_told_and_bounded_and_passes(world: Rehearsal) -> None:
    fill(world.log, 40)
    inner, down = world.bucket, True

    class Outage:
        def next(self, operation: str, key: str) -> object:
            if down and operation in {"put_file", "create"}:
                raise BucketUnavailable("store is away")
            return SeededFaults(0, {}).next(operation, key)

    told: set[str] = set()
    furthest = 0

    def watch() -> None:
        nonlocal down, furthest
        told.add(world.consumer.problem)
        furthest = max(furthest, *(status.position for status in world.consumer.status()))
        down = world.polls < 60

    world.bucket = FaultyBucket(inner, Outage())  # type: ignore[arg-type]
    world.run(batch=1, each_poll=watch)
    assert "partition=0: store is away" in told
    assert world.consumer.problem == ""
    assert world.chain()[-1].end == 40
    assert furthest == 40


def test_while_a_segment_cannot_be_published_only_one_more_opens(world: Rehearsal) -> None:
    fill(world.log, 40)

    class Outage:
        def next(self, operation: str, key: str) -> object:
            if operation == "put_file":
                raise BucketUnavailable("store is away")
            return SeededFaults(0, {}).next(operation, key)

    world.bucket = FaultyBucket(world.bucket, Outage())  # type: ignore[arg-type]
    world.settings = type(world.settings)(
        poll_timeout=Duration(1), retry_min=Duration(1), retry_max=Duration(4), drain_timeout=Duration(0)
    )
    furthest = 0

    def watch() -> None:
        nonlocal furthest
        furthest = max(furthest, *(status.position for status in world.consumer.status()))
        if world.polls > 80:
            world.consumer.stop()

    world.run(batch=1, each_poll=watch)
    assert furthest == 4  # two segments of two records
    assert world.chain() == []
    assert world.log.committed == {}


def test_a_log_that_does_not_answer_is_waited_for(world: Rehearsal) -> None:
    fill(world.log, 10)

    def fail() -> None:
        if world.polls % 2:
            raise LogUnavailable("log is away")

    world.run(each_poll=fail)
    assert world.chain()[-1].end == 10
    assert world.metric("log_failures_total") > 0


def test_an_offset_that_cannot_be_committed_stops_nothing(world: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world.log, 6)

    def refuse(_self: MemorySubscription, _partition: int, _offset: int) -> None:
        raise LogUnavailable("no room for offsets")

    monkeypatch.setattr(MemorySubscription, "commit", refuse)
    world.run()
    assert world.chain()[-1].end == 6
    assert world.log.committed == {}
    assert world.metric("log_failures_total") == 3


def test_above_the_memory_bound_partitions_are_read_one_at_a_time(tmp_path: Path) -> None:
    world = Rehearsal(MemoryLog(partitions=3), MemoryBucket(), tmp_path / "staging")
    for partition in range(3):
        fill(world.log, 12, partition=partition)
    world.settings = type(world.settings)(
        memory=Size(1), poll_timeout=Duration(1), retry_min=Duration(1), retry_max=Duration(4)
    )
    most = 0

    def watch() -> None:
        nonlocal most
        statuses = world.consumer.status()
        if sum(status.memory_bytes for status in statuses) > 1:
            most = max(most, sum(not status.paused for status in statuses))

    world.run(batch=1, each_poll=watch)
    assert most == 1
    for partition in range(3):
        assert world.chain(partition)[-1].end == 12


def test_a_revoked_partition_is_forgotten_and_another_member_goes_on(world: Rehearsal, tmp_path: Path) -> None:
    fill(world.log, 20)
    quiet = Rehearsal(world.log, MemoryBucket(), tmp_path / "quiet")
    quiet.run()

    def shuffle() -> None:
        if world.polls in {2, 6, 9}:
            subscription = world.subscription
            (subscription.listener.lost if world.polls == 6 else subscription.listener.revoked)([0])
            subscription.paused.clear()
            assert world.consumer.status() == []
            subscription.positions.update(subscription.listener.assigned([0]))

    world.run(batch=3, each_poll=shuffle)
    assert world.polls > 9
    assert objects(world.bucket) == objects(quiet.bucket)


def test_samples_can_be_read_until_their_manifest_stands(world: Rehearsal) -> None:
    fill(world.log, 10)
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        series = list(world.consumer.select("tenant", [], 0, 1 << 60))
        chunks = sum(len(found.chunks) for found in series)
        published = max((manifest.end for manifest in world.chain()), default=0)
        (status,) = world.consumer.status()
        seen.append((published, status.samples, chunks))
        assert published + status.samples >= status.position  # in the bucket or in a head, or both for a moment
        assert bool(chunks) is bool(status.samples)

    world.run(batch=1, each_poll=look)
    assert any(samples for _, samples, _ in seen)
    assert list(world.consumer.select("tenant", [], 0, 1 << 60)) == []


def test_a_takeover_is_over_once_reading_is_where_the_log_ended(world: Rehearsal) -> None:
    world.log = MemoryLog(partitions=3)
    fill(world.log, 9, step=1)
    fill(world.log, 2, partition=1)
    world.run(batch=2, stop_after=3)  # the third partition is empty, the first needs five polls
    assert world.metric("takeover_seconds_count") == 2
    world.run(batch=2)
    assert world.metric("takeover_seconds_count") == 3
