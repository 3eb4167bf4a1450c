"""What consumers rejected after the ack: out of ledgers in the bucket, and out of segments that are still open here.

Nothing is asked of the bucket before somebody wants to know. The first look reads the newest manifests of each
partition, later ones what came since, all on threads of their own.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import msgspec

from bucket.bucket import Bucket
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from bucket.overlay import Overlay
from consumers.status import HeldRejections
from forebay.clock import Clock
from forebay.errors import ForebayError
from gateway.rejections_report import ReasonReport
from gateway.rejections_view import Look

FIRST_MANIFESTS = 48
"""Of each partition at the first look: a day of segments of half an hour."""
_EVERY_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0
_THREADS = 8
_ROWS = 50_000
"""Tenants times reasons that are kept; of more, those that were rejected last."""


class _Tally(NamedTuple):
    samples: int
    first_time: int
    last_time: int


Tallies = dict[tuple[str, str], _Tally]
"""By tenant and reason."""


class LedgerRejections:
    """Implements gateway.rejections_view.AfterAck."""

    def __init__(
        self,
        open_bucket: Callable[[], Bucket],
        *,
        log_id: str,
        partitions: Callable[[], int],
        held: Callable[[], Iterable[HeldRejections]] = tuple,
        clock: Clock,
    ) -> None:
        """`open_bucket` is called when first looked, and again until it does not raise; `close` closes what it gave.

        `held`: of the segments of consumers in this process that are not published yet.
        """
        self._open_bucket = open_bucket
        self._bucket: Bucket | None = None
        self._ledgers: _Ledgers | None = None
        self._log_id = log_id
        self._partitions = partitions
        self._held = held
        self._clock = clock
        self._look = Look()
        self._shown: dict[str, list[ReasonReport]] = {}
        self._next = float("-inf")
        self._running: asyncio.Future[None] | None = None

    async def look(self) -> Look:
        """As AfterAck."""
        if self._running is None and self._clock.monotonic() >= self._next:
            self._running = asyncio.ensure_future(self._refresh())
        if self._running is not None:
            await asyncio.wait([self._running], timeout=_PATIENCE_SECONDS)
        return self._look

    def of(self, tenant: str) -> Sequence[ReasonReport]:
        """As AfterAck."""
        return self._shown.get(tenant, ())

    def tenants(self) -> Sequence[str]:
        """As AfterAck."""
        return sorted(self._shown, key=lambda tenant: -sum(each.samples for each in self._shown[tenant]))

    async def close(self) -> None:
        """Waits for a look on its way. May be called twice."""
        if self._running is not None:
            await asyncio.wait([self._running])
        if self._bucket is not None:
            await asyncio.to_thread(self._bucket.close)

    async def _refresh(self) -> None:
        now_ms = self._clock.now_ms()
        try:
            self._shown, since = await asyncio.to_thread(self._read)
            self._look = Look(since, now_ms)
        except (ForebayError, OSError) as error:
            self._look = msgspec.structs.replace(self._look, problem=str(error))
        finally:
            self._next = self._clock.monotonic() + _EVERY_SECONDS
            self._running = None

    def _read(self) -> tuple[dict[str, list[ReasonReport]], int | None]:
        # First what is held, then the bucket: what is published in between is seen twice, and left out once below.
        held = list(self._held())
        if self._ledgers is None:
            self._bucket = self._open_bucket()
            self._ledgers = _Ledgers(ManifestStore(self._bucket), self._log_id)
        ledgers = self._ledgers
        ledgers.read(range(self._partitions()))
        tallies = dict(ledgers.tallies)
        for each in held:
            if each.start >= ledgers.end(each.partition):
                _add(tallies, each.tenant, each.reason, _Tally(each.samples, each.first_time, each.last_time))
        shown: dict[str, list[ReasonReport]] = {}
        for (tenant, reason), tally in sorted(tallies.items()):
            report = ReasonReport(reason, "consumer", tally.samples, tally.first_time, tally.last_time)
            shown.setdefault(tenant, []).append(report)
        return shown, ledgers.since


class _Ledgers:
    """The sum over the manifests of one log that were read so far; each counts once."""

    def __init__(self, manifests: ManifestStore, log_id: str) -> None:
        self._manifests = manifests
        self._log_id = log_id
        self._newest: dict[int, Manifest | None] = {}
        self._generation = 0
        self.tallies: Tallies = {}
        self.since: int | None = None

    def end(self, partition: int) -> int:
        """Where the chain ends, as far as it was read."""
        newest = self._newest.get(partition)
        return newest.end if newest else 0

    def read(self, partitions: Iterable[int]) -> None:
        """What came since the last time. Blocks. Raises what ManifestStore does."""
        overlay = self._manifests.generations.load()
        generation = overlay.newest.get(self._log_id, 0)
        if generation != self._generation:  # a rebuild: other ledgers are in force, for segments that were read
            self._newest, self.tallies, self.since = {}, {}, None
            self._generation = generation
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="ledgers") as pool:
            for partition, found in pool.map(partial(self._new, overlay), partitions):
                self._newest[partition] = found[-1] if found else self._newest.get(partition)
                for manifest in found:
                    self._count(manifest)
        if len(self.tallies) > _ROWS:
            newest = sorted(self.tallies.items(), key=lambda item: item[1].last_time)[-_ROWS:]
            self.tallies = dict(newest)

    def _new(self, overlay: Overlay, partition: int) -> tuple[int, list[Manifest]]:
        newest = self._newest.get(partition)
        if newest is not None:
            parts = self._manifests.newer(newest)
        else:
            parts = self._manifests.parts(self._log_id, partition, overlay)[-FIRST_MANIFESTS:]
        found = [manifest for part in parts for manifest in self._manifests.read(part)]
        return partition, found if newest is not None else found[-FIRST_MANIFESTS:]

    def _count(self, manifest: Manifest) -> None:
        self.since = min(manifest.first_append_time, self.since or manifest.first_append_time)
        for tenant, ledger in manifest.ledger.items():
            for reason, samples in ledger.rejected.items():
                tally = _Tally(samples, manifest.first_append_time, manifest.last_append_time)
                _add(self.tallies, tenant, reason, tally)


def _add(tallies: Tallies, tenant: str, reason: str, more: _Tally) -> None:
    tally = tallies.get((tenant, reason))
    if tally is None:
        tallies[tenant, reason] = more
    else:
        tallies[tenant, reason] = _Tally(
            tally.samples + more.samples,
            min(tally.first_time, more.first_time),
            max(tally.last_time, more.last_time),
        )
