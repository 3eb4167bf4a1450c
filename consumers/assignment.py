"""The partitions this member holds now; the chain of manifests, not the group, says where each one goes on."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from broker.log import Listener, Subscription
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from consumers.metrics import ConsumerMetrics
from consumers.partition import Partition
from consumers.retry import Abandoned
from consumers.sealing import Sealing
from forebay.clock import Clock
from forebay.errors import Fatal, Retryable

_LOCATE_THREADS = 16
"""How many chains' ends are looked for at a time: each is a few round trips, and nothing is read before."""


class LogWentBack(Fatal):
    """The log ends before the last manifest: new records would get offsets that are already built."""


class ChainEnd(NamedTuple):
    """Where a partition's chain of manifests ends, and its log."""

    last: Manifest | None
    end_offset: int


class Assignment:
    """Implements Listener. `partitions` and `held` may be read from any thread, the rest is for the consumer's own."""

    def __init__(
        self,
        subscribe: Callable[[Listener], Subscription],
        manifests: ManifestStore,
        new_partition: Callable[[int], Partition],
        *,
        clock: Clock,
        logger: FilteringBoundLogger,
        metrics: ConsumerMetrics,
    ) -> None:
        self._manifests = manifests
        self._new_partition = new_partition
        self._clock = clock
        self._logger = logger
        self._metrics = metrics
        self._held: dict[int, Partition] = {}
        self._abandoned = list[Sealing]()
        self.subscription = subscribe(self)

    def __getitem__(self, number: int) -> Partition | None:
        return self._held.get(number)

    @property
    def partitions(self) -> list[Partition]:
        """Ascending by number; a copy."""
        held = self._held  # replaced, never changed, so that other threads may look
        return [held[number] for number in sorted(held)]

    @property
    def abandoned_bytes(self) -> int:
        """Memory of segments that were given up and have not ended yet."""
        return sum(sealing.segment.memory_bytes for sealing in self._abandoned)

    def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where the chain's end cannot be found now, the partition stays unread until `locate` finds it."""
        fresh = {number: self._new_partition(number) for number in partitions}
        began = self._clock.monotonic()
        with ThreadPoolExecutor(min(len(fresh), _LOCATE_THREADS) or 1, thread_name_prefix="locate") as pool:
            found = list(pool.map(self._look, fresh, self._hints(fresh)))
        for partition, end in zip(fresh.values(), found, strict=True):
            partition.assigned_at = began
            self._note(partition, end)
        self._held = {**self._held, **fresh}  # last, so that nobody takes one for far behind that is not located yet
        return {number: partition.position for number, partition in fresh.items()}

    def revoked(self, partitions: Sequence[int]) -> None:
        self._discard(partitions)
        self._logger.info("partitions revoked", partitions=list(partitions))

    def lost(self, partitions: Sequence[int]) -> None:
        self._discard(partitions)
        self._logger.warning("partitions lost", partitions=list(partitions))

    def locate(self, partition: Partition) -> None:
        """Finds the end of the partition's chain, from the committed offset as a hint.

        Raises LogWentBack. A failure that may pass is noted in `partition.failing`: call again later.
        """
        number = partition.number
        (hint,) = self._hints([number])
        self._note(partition, self._look(number, hint))

    def note_caught_up(self) -> None:
        """Tells, once for each assignment of a partition, that its open segment is as it was where it came from."""
        for partition in self.partitions:
            if partition.goal is None or partition.position < partition.goal:
                continue
            seconds = self._clock.monotonic() - partition.assigned_at
            partition.goal = None
            self._metrics.takeover_seconds.observe(seconds)
            self._logger.info(
                "partition caught up",
                partition=partition.number,
                position=partition.position,
                seconds=round(seconds, 3),
            )

    def abandon(self) -> None:
        """Gives up whatever is still on its way."""
        self._discard([partition.number for partition in self.partitions])

    def reap(self) -> None:
        """Forgets abandoned segments that have ended; raises what ended them, were it more than being abandoned."""
        for sealing in [sealing for sealing in self._abandoned if sealing.result.done()]:
            self._abandoned.remove(sealing)
            try:
                sealing.result.result()
            except (Abandoned, CancelledError):
                self._logger.debug("segment abandoned", partition=sealing.segment.partition)

    def _hints(self, numbers: Collection[int]) -> list[int | None]:
        """Committed offsets; None where there is none, or the log does not tell it now: it is only a hint.

        Asked for by the thread that polls: Kafka's client answers no other while it tells of an assignment.
        """
        hints: list[int | None] = []
        try:
            for number in numbers:
                hints.append(self.subscription.committed(number))  # noqa: PERF401 - keeps what came before a failure
        except Retryable as error:
            self._metrics.log_failures.inc()
            self._logger.warning("committed offsets are not known", error=str(error))
        return hints + [None] * (len(numbers) - len(hints))

    def _look(self, number: int, hint: int | None) -> ChainEnd | Retryable:
        """From any thread. A failure that may pass is returned."""
        try:
            last = self._manifests.last(self.subscription.log_id, number, hint)
            return ChainEnd(last, self.subscription.end_offset(number))
        except Retryable as error:
            return error

    def _note(self, partition: Partition, found: ChainEnd | Retryable) -> None:
        number = partition.number
        if isinstance(found, Retryable):
            partition.failing = str(found)
            partition.adrift = True
            partition.retry_at = self._clock.monotonic() + partition.backoff.failed()
            self._metrics.log_failures.inc()
            self._logger.warning("end of the manifest chain is not known yet", partition=number, error=str(found))
            return
        last, end_offset = found
        if last is not None and end_offset < last.end:
            raise LogWentBack(
                f"log ends before its last manifest: log_id={self.subscription.log_id} partition={number} "
                f"end_offset={end_offset} manifest_end={last.end}",
                hint="this is an older copy of the log: put the newest back, or move it away and start a new log: that "
                "has a new id and a chain of its own",
            )
        partition.locate(last, end_offset)
        self._logger.info("partition assigned", partition=number, position=partition.position, end_offset=end_offset)

    def _discard(self, numbers: Sequence[int]) -> None:
        gone = [self._held[number] for number in numbers if number in self._held]
        self._held = {number: partition for number, partition in self._held.items() if number not in set(numbers)}
        for partition in gone:
            sealing = partition.discard()
            if sealing is not None:
                self._abandoned.append(sealing)
            self._metrics.forget(partition.number)
