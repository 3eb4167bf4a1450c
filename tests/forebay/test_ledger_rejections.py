"""What consumers rejected: every ledger counts once, however it is looked at, and the bucket is not asked in vain."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from bucket.bucket import Bucket, BucketUnavailable, ObjectInfo
from bucket.generations import Generation
from bucket.manifest import Ledger, Manifest
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from consumers.status import HeldRejections
from forebay.clock import ManualClock
from forebay.ledger_rejections import FIRST_MANIFESTS, LedgerRejections
from tests.bucket.manifests import TIME, make_manifest
from tests.bucket.test_manifests import Counting


def rejecting(start: int, *, partition: int = 0, log_id: str = "log", **tenants: dict[str, int]) -> Manifest:
    """A manifest of ten records, of whose samples these were rejected, by tenant and reason."""
    ledgers = {tenant: Ledger(1, sum(rejected.values()), 0, 0, rejected, 0, 0) for tenant, rejected in tenants.items()}
    return make_manifest(start, start + 10, partition=partition, log_id=log_id, ledger=ledgers)


@pytest.fixture
def bucket() -> Counting:
    return Counting()


class Looker:
    """Asks again and again, as time goes by."""

    def __init__(
        self, bucket: Bucket, clock: ManualClock, held: Callable[[], Iterable[HeldRejections]] = tuple
    ) -> None:
        self.clock = clock
        self.rejections = LedgerRejections(lambda: bucket, log_id="log", partitions=lambda: 2, held=held, clock=clock)

    async def counts(self) -> dict[tuple[str, str], int]:
        self.clock.advance(60)
        await self.rejections.look()
        found = self.rejections
        return {(tenant, row.reason): row.samples for tenant in found.tenants() for row in found.of(tenant)}


async def test_ledgers_are_summed_and_each_counts_once(bucket: Counting, clock: ManualClock) -> None:
    store, looker = ManifestStore(bucket), Looker(bucket, clock)
    assert await looker.counts() == {}
    assert (await looker.rejections.look()).since is None
    store.create(rejecting(0, a={"too_many_windows": 3}))
    store.create(rejecting(0, partition=1, a={"too_many_windows": 4}, b={"duplicate_timestamp": 1}))
    store.create(rejecting(0, log_id="another", a={"too_many_windows": 100}))
    first = {("a", "too_many_windows"): 7, ("b", "duplicate_timestamp"): 1}
    assert await looker.counts() == first
    assert await looker.counts() == first
    store.create(rejecting(10, a={"duplicate_timestamp": 5}))
    assert await looker.counts() == first | {("a", "duplicate_timestamp"): 5}
    (row, _) = looker.rejections.of("a")
    assert (row.stage, row.first_time, row.last_time) == ("consumer", TIME + 10, TIME + 20)
    look = await looker.rejections.look()
    assert (look.since, look.until, look.problem) == (TIME, clock.now_ms(), "")


async def test_looking_again_is_cheap(bucket: Counting, clock: ManualClock) -> None:
    store, looker = ManifestStore(bucket), Looker(bucket, clock)
    for n in range(2 * FIRST_MANIFESTS):
        store.create(rejecting(10 * n, a={"too_many_windows": 1}))
    bucket.requests.clear()
    assert await looker.counts() == {("a", "too_many_windows"): FIRST_MANIFESTS}
    assert bucket.requests.count("get") == FIRST_MANIFESTS
    bucket.requests.clear()
    bucket.listed = 0
    store.create(rejecting(20 * FIRST_MANIFESTS, a={"too_many_windows": 1}))
    bucket.requests.clear()
    assert await looker.counts() == {("a", "too_many_windows"): FIRST_MANIFESTS + 1}
    assert (bucket.requests.count("get"), bucket.listed) == (1, 1)
    bucket.requests.clear()
    await looker.rejections.look()
    assert bucket.requests == [], "a moment later nothing is asked"


async def test_rolled_up_manifests_count_as_before(bucket: Counting, clock: ManualClock) -> None:
    store = ManifestStore(bucket)
    for n in range(20):
        store.create(rejecting(10 * n, a={"too_many_windows": 1}))
    looker = Looker(bucket, clock)
    assert await looker.counts() == {("a", "too_many_windows"): 20}
    for _ in range(2):
        store.roll_up("log", 0, keep=2, size=4)
    store.create(rejecting(200, a={"too_many_windows": 1}))
    assert await looker.counts() == {("a", "too_many_windows"): 21}
    assert await Looker(bucket, clock).counts() == {("a", "too_many_windows"): 21}


async def test_after_a_rebuild_the_ledgers_in_force_count(bucket: Counting, clock: ManualClock) -> None:
    store, looker = ManifestStore(bucket), Looker(bucket, clock)
    for n in range(3):
        store.create(rejecting(10 * n, a={"too_many_windows": 10}))
    assert await looker.counts() == {("a", "too_many_windows"): 30}
    store.generations.add(Generation("log", 1, (rejecting(10, a={"too_many_windows": 1}),), ()))
    assert await looker.counts() == {("a", "too_many_windows"): 21}
    store.create(rejecting(30, a={"too_many_windows": 1}))
    assert await looker.counts() == {("a", "too_many_windows"): 22}


async def test_what_is_held_here_counts_until_it_is_published(bucket: Counting, clock: ManualClock) -> None:
    held = [HeldRejections(0, 10, "a", "too_many_windows", 5, TIME + 10, TIME + 12)]
    store, looker = ManifestStore(bucket), Looker(bucket, clock, lambda: held)
    store.create(rejecting(0, a={"too_many_windows": 2}))
    assert await looker.counts() == {("a", "too_many_windows"): 7}
    store.create(rejecting(10, a={"too_many_windows": 6}))  # published, and not known to the consumer yet
    assert await looker.counts() == {("a", "too_many_windows"): 8}


async def test_a_bucket_that_fails_leaves_what_is_known(clock: ManualClock) -> None:
    class Failing(MemoryBucket):
        down = True

        def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
            if self.down:
                raise BucketUnavailable("no route")
            return super().list(prefix, start_after)

    bucket = Failing()
    looker = Looker(bucket, clock)
    assert await looker.counts() == {}
    assert (await looker.rejections.look()).problem == "no route"
    bucket.down = False
    ManifestStore(bucket).create(rejecting(0, a={"too_many_windows": 2}))
    assert await looker.counts() == {("a", "too_many_windows"): 2}
    until = (await looker.rejections.look()).until
    bucket.down = True
    assert await looker.counts() == {("a", "too_many_windows"): 2}
    look = await looker.rejections.look()
    assert (look.problem, look.until) == ("no route", until)


async def test_a_slow_bucket_keeps_nobody_waiting(
    bucket: Counting, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forebay.ledger_rejections._PATIENCE_SECONDS", 0.05)
    answer, opened = threading.Event(), 0

    def open_slowly() -> Bucket:
        nonlocal opened
        opened += 1
        answer.wait(10)
        return bucket

    ManifestStore(bucket).create(rejecting(0, a={"too_many_windows": 2}))
    slow = LedgerRejections(open_slowly, log_id="log", partitions=lambda: 1, clock=clock)
    looks = await asyncio.gather(*(slow.look() for _ in range(5)))
    assert {look.until for look in looks} == {None}
    assert (opened, slow.tenants()) == (1, [])
    answer.set()
    await slow.close()
    assert slow.tenants() == ["a"]
