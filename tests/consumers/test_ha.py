"""HA pairs through the whole consumer: stored once, left out in the ledger, the same whoever builds it."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.log import Record
from broker.record import Replica, new_headers
from bucket.bucket import Bucket
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket
from bucket.manifest import Followed, HaRecipe, Manifest
from bucket.memory import MemoryBucket
from consumers.replay_range import Offset, Selection
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, one, stored
from tests.consumers.replaying import replay

TIMEOUT = 10_000
HA = HaRecipe(failover_timeout=TIMEOUT, max_clusters=3)
A, B = Replica("eu1", "a"), Replica("eu1", "b")


@pytest.fixture
def world(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(MemoryLog(), MemoryBucket(), tmp_path / "staging")
    made.ha = HA
    return made


def pair(log: MemoryLog, begin: int, end: int, *replicas: Replica) -> None:
    """A sample of each replica every second; the value is its append time, and b's timestamps are 300 ms later."""
    for at in range(begin, end, 1000):
        for replica in replicas:
            later = at + 300 * (replica == B)
            log.append(0, one(START + later, later, cluster=replica.cluster), START + later, replica=replica)


def test_one_of_two_is_stored_across_segments(world: Rehearsal, tmp_path: Path) -> None:
    pair(world.log, 0, 3 * SLOT, A, B)
    world.run()
    chain = world.chain()
    ledgers = [manifest.ledger["tenant"] for manifest in chain]
    assert [(ledger.stored, ledger.deduplicated) for ledger in ledgers] == [(60, 60)] * 3
    assert [ledger.records for ledger in ledgers] == [120] * 3
    assert sorted(stored(world.bucket, chain, tmp_path).values()) == list(range(0, 3 * SLOT, 1000))
    assert world.metric("samples_total", outcome="deduplicated") == 180
    assert [manifest.followed_before for manifest in chain[1:]] == [manifest.followed_after for manifest in chain[:-1]]
    last = START + SLOT - 1000
    assert [manifest.followed_after for manifest in chain] == [
        (Followed("tenant", "eu1", "a", last + n * SLOT),) for n in range(3)
    ]


def test_the_other_takes_over_once_the_followed_was_silent(world: Rehearsal, tmp_path: Path) -> None:
    dies, lives = SLOT // 2, SLOT + SLOT // 2
    pair(world.log, 0, dies, A, B)
    pair(world.log, dies, lives, B)
    pair(world.log, lives, 3 * SLOT, A, B)
    world.run()
    values = sorted(stored(world.bucket, world.chain(), tmp_path).values())
    last_of_a = dies - 1000
    first_of_b = last_of_a + TIMEOUT + 300
    assert values == [*range(0, dies, 1000), *range(first_of_b, 3 * SLOT, 1000)]
    assert world.metric("failovers_total") == 1
    assert all(manifest.ledger["tenant"].balances() for manifest in world.chain())


def test_without_a_recipe_every_replica_is_stored_and_nothing_new_is_in_the_manifest(world: Rehearsal) -> None:
    pair(world.log, 0, 10_000, A, B)
    world.ha = None
    world.run()
    (manifest,) = world.chain()
    assert manifest.ledger["tenant"].stored == 20
    assert b"followed" not in manifest.encode()
    assert b'"ha"' not in manifest.encode()
    assert manifest.recipe_digest == "d63c8676f8687800953b7b8c348b542a72329fc779458c51e8428d5cca9a939c"


def test_records_without_a_replica_are_always_stored(world: Rehearsal) -> None:
    pair(world.log, 0, 5000, A, B)
    for number in range(5):
        world.log.append(0, one(START + 6000, number, cluster="eu1", n=str(number)), START + 6000)
    world.run()
    (manifest,) = world.chain()
    assert (manifest.ledger["tenant"].stored, manifest.ledger["tenant"].deduplicated) == (10, 5)


def test_a_record_that_cannot_be_decoded_is_no_sign_of_life(world: Rehearsal) -> None:
    pair(world.log, 0, 1000, A, B)
    for at in (1000, TIMEOUT):
        world.log.put(Record(0, world.log.end(0), START + at, b"tenant", b"\xff", new_headers(A)))
    world.log.put(Record(0, world.log.end(0), START + TIMEOUT, b"tenant", b"\xff", new_headers(B)))
    world.log.put(Record(0, world.log.end(0), START + TIMEOUT, b"tenant", b"", (*new_headers(A), *new_headers(B)[1:])))
    pair(world.log, TIMEOUT, TIMEOUT + 1000, B)
    world.run()
    (manifest,) = world.chain()
    assert [each.offset for each in manifest.quarantined] == [2, 3, 4, 5]
    assert manifest.ledger["tenant"].stored == 2
    assert manifest.followed_after == (Followed("tenant", "eu1", "b", START + TIMEOUT + 300),)


def test_the_segment_that_begins_with_a_followed_replica_has_names_of_its_own(world: Rehearsal, tmp_path: Path) -> None:
    """A chain that lost what came before makes other blocks of the same offsets, so it may not reuse their names."""
    pair(world.log, 0, 2 * SLOT, B, A)
    world.run()
    first, second = world.chain()
    amnesiac = Rehearsal(world.log, MemoryBucket(), tmp_path / "other")
    amnesiac.ha = HA
    forgotten = first.__class__.decode(first.encode().replace(b'"replica": "b"', b'"replica": "a"'))
    amnesiac.bucket.create(_key(world.bucket, first.start), forgotten.encode())
    amnesiac.run()
    other = amnesiac.chain()[1]
    assert (other.start, other.end, other.recipe_digest) == (second.start, second.end, second.recipe_digest)
    assert other.blocks[0].files != second.blocks[0].files
    assert other.blocks[0].ulid != second.blocks[0].ulid


def _key(bucket: Bucket, start: int) -> str:
    return next(info.key for info in bucket.list("forebay/segments/") if info.key.endswith(f"{start:020}.json"))


@pytest.mark.parametrize("gone", [["forebay/"], ["0", "forebay/segments/log/0/00000000000000000120"], ["0"]])
def test_a_replay_follows_whom_the_consumer_followed(world: Rehearsal, gone: list[str]) -> None:
    pair(world.log, 0, SLOT, B, A)
    pair(world.log, SLOT, 2 * SLOT, A, B)
    pair(world.log, 2 * SLOT, 3 * SLOT, A)
    world.run()
    expected = objects(world.bucket)
    for key in [key for key in expected if key.startswith(tuple(gone))]:
        world.bucket.delete(key)
    assert all(report.done for report in replay(world) if report.state != "whole")
    assert {key: data.replace(b'"idle"', b'"mark"') for key, data in objects(world.bucket).items()} == {
        key: data.replace(b'"idle"', b'"mark"') for key, data in expected.items()
    }


def without_ends(manifests: list[Manifest]) -> list[Manifest]:
    return [msgspec.structs.replace(each, ended_by="mark") for each in manifests]


def test_a_rebuild_follows_whom_a_consumer_with_these_settings_would_have(world: Rehearsal, tmp_path: Path) -> None:
    """Over the end of a rebuild's slot, behind which the other replica comes first."""
    hours = 7_200_000
    pair(world.log, hours - SLOT, hours, B, A)
    pair(world.log, hours, hours + SLOT, A, B)
    quiet = Rehearsal(world.log, MemoryBucket(), tmp_path / "quiet")
    for each, ha in ((world, None), (quiet, HA)):
        each.ha = ha
        each.run()
    assert sum(manifest.ledger["tenant"].deduplicated for manifest in world.chain()) == 0
    without = without_ends(world.chain())
    world.ha = HA
    assert {report.state for report in replay(world, rebuild=True)} == {"stale"}
    assert without_ends(world.chain()) == without_ends(quiet.chain())
    assert len(world.chain()) == 2
    world.ha = None
    replay(world, rebuild=True)
    assert without_ends(world.chain()) == without
    world.ha = HA
    replay(world, rebuild=True)
    assert without_ends(world.chain()) == without_ends(quiet.chain())


def test_going_back_to_ha_pairs_brings_the_old_blocks_back(world: Rehearsal) -> None:
    hours = 7_200_000
    pair(world.log, 0, 1000, B)
    pair(world.log, hours - SLOT, hours + SLOT, B, A)
    pair(world.log, hours + SLOT, hours + 2 * SLOT, A, B)
    world.run()
    before = without_ends(world.chain())
    last = Selection((0,), Offset(before[-1].start))
    for ha in (None, HA):
        world.ha = ha
        replay(world, last, rebuild=True)
        assert (without_ends(world.chain()) == before) is (ha is HA)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from([None, A, B, Replica("us1", "a"), Replica("us1", "b"), Replica("x", "y")]),
        st.sampled_from([0, 1000, TIMEOUT // 2, TIMEOUT, TIMEOUT + 1, SLOT]),
        st.booleans(),  # sound
    ),
    max_size=25,
)


@settings(max_examples=50, deadline=None)
@given(_STEPS, st.integers(1, 5), st.integers(1, 10), st.lists(st.integers(0, 8), max_size=4), st.integers(0, 10))
def test_crashes_batches_and_restarts_change_no_byte(
    steps: list[tuple[Replica | None, int, bool]], batch: int, room: int, crashes: list[int], stop_after: int
) -> None:
    log, time = MemoryLog(), START
    for number, (replica, wait, sound) in enumerate(steps):
        time += wait
        log.append(0, one(time, number) if sound else b"\xff", time, replica=replica)
    with tempfile.TemporaryDirectory() as directory:
        world = Rehearsal(log, MemoryBucket(), Path(directory) / "staging")
        world.ha = HA
        world.max_bytes(room * 50)
        inner = world.bucket
        world.run(batch=batch, stop_after=stop_after)
        for crash in crashes:
            world.bucket = FaultyBucket(inner, CrashAtWrite(crash))
            try:
                world.run(batch=batch)
            except Crash:
                continue
        world.bucket = inner
        world.run(batch=batch)
        quiet = Rehearsal(log, MemoryBucket(), Path(directory) / "quiet")
        quiet.ha, quiet.segment = HA, world.segment
        quiet.run(batch=100)
        assert objects(inner) == objects(quiet.bucket)
        ledgers = [ledger for manifest in world.chain() for ledger in manifest.ledger.values()]
        assert all(ledger.balances() for ledger in ledgers)
        assert sum(ledger.samples for ledger in ledgers) == sum(sound for _, _, sound in steps)
