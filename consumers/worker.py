"""The consumer: reads its partitions of the log and turns them, segment by segment, into blocks in the bucket.

subscription -> Partition (open segment: a head per tenant) -> Sealer (Builder -> Publisher) -> bucket
                    ^ position of the manifest chain                          |
                    +--------------------- settled: commit, next -------------+
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from itertools import chain
from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from broker.log import Listener, Record, Subscription
from broker.record import UnsupportedRecord
from bucket.bucket import Bucket
from bucket.manifest import Followed, Manifest, Recipe
from bucket.manifests import ManifestStore
from consumers.annotations import Annotations
from consumers.assignment import Assignment
from consumers.builder import Builder
from consumers.flow import Flow
from consumers.metrics import ConsumerMetrics
from consumers.partition import Partition
from consumers.publisher import Publisher
from consumers.quarantine import BucketQuarantine
from consumers.retry import Backoff
from consumers.sealing import Sealer
from consumers.segment import Segment, open_segment
from consumers.settings import ConsumerSettings, SegmentSettings
from consumers.status import HeldRejections, PartitionStatus
from forebay.clock import Clock
from forebay.errors import Retryable
from tsdb.chunk import SeriesChunks
from tsdb.matcher import Matcher

LOG_RETRY_SECONDS = 2.0
"""At most, between attempts to poll: cheap ones, and a log that is back has a backlog."""
OBSERVE_SECONDS = 1.0
"""How often the ends of the log are asked for: for the lag, and for segments that end idle."""


class Consumer:
    """One member of the group. `run` belongs to one thread; the rest may be called from any.

    A bucket or log that does not answer is waited for: partitions are read on only within `settings.memory`, and
    nothing is lost, since what is not published is still in the log. `directory` is a cache, and may vanish.
    """

    def __init__(
        self,
        subscribe: Callable[[Listener], Subscription],
        bucket: Bucket,
        *,
        recipe: Recipe,
        segment: SegmentSettings,
        settings: ConsumerSettings,
        directory: Path,
        clock: Clock,
        logger: FilteringBoundLogger,
        registry: CollectorRegistry,
    ) -> None:
        self._subscribe = subscribe
        self._bucket = bucket
        self._recipe = recipe
        self._grace = int(segment.grace)
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._logger = logger
        self._metrics = ConsumerMetrics(registry)
        self._metrics.head_bytes_limit.set(settings.memory)
        self.annotations = Annotations(
            exemplar_bytes=settings.exemplar_bytes,
            metadata_bytes=settings.metadata_bytes,
            memory=settings.annotation_memory,
        )
        """What records say besides samples; may be read from any thread."""
        self._flow = Flow(settings.memory)
        self._stopping = threading.Event()
        self._assignment: Assignment | None = None
        self._observed = float("-inf")
        self._backoff = Backoff(settings.retry_min.seconds, min(LOG_RETRY_SECONDS, settings.retry_max.seconds))
        self._failing = ""
        self._manifests = ManifestStore(bucket)
        self._sealer = Sealer(
            Builder(recipe, settings.build_threads),
            Publisher(bucket, self._manifests, BucketQuarantine(bucket)),
            directory,
            confirm=self._confirm,
            settings=settings,
            clock=clock,
            logger=logger,
            metrics=self._metrics,
        )

    def run(self) -> None:
        """Joins the group and consumes until `stop`, then drains. Once.

        A segment that is on its way is given `drain_timeout`; what is open stays in the log, for whoever is next.
        Raises Fatal, with a hint, where going on would be wrong or of no use.
        """
        try:
            while self._assignment is None:
                if self._stopping.is_set():
                    return
                self._attempt(self._join)
            assignment = self._assignment
            try:
                while not self._stopping.is_set():
                    self._attempt(partial(self._turn, assignment))
                self._drain(assignment)
            finally:
                assignment.subscription.close()
                assignment.abandon()
        finally:
            self._sealer.close()

    def stop(self) -> None:
        """Makes `run` drain and return. Returns at once; may be called twice, and from a signal handler."""
        self._stopping.set()

    def status(self) -> list[PartitionStatus]:
        """By partition. Does not block."""
        return [partition.status() for partition in self._partitions]

    def rejections(self) -> list[HeldRejections]:
        """Of segments that are not published yet. Does not block."""
        return [each for partition in self._partitions for each in partition.rejections()]

    @property
    def problem(self) -> str:
        """Why this consumer is not ready; empty where it is."""
        if self._assignment is None:
            return "not started yet"
        stuck = (status for status in self.status() if status.failing)
        return self._failing or next((f"partition={status.partition}: {status.failing}" for status in stuck), "")

    def select(self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterable[SeriesChunks]:
        """As `query.heads.Heads`: all segments whose manifest is not known to stand."""
        segments = [segment for partition in self._partitions for segment in partition.segments]
        heads = [head for segment in segments if (head := segment.heads.get(tenant)) is not None]
        return chain.from_iterable(head.select(matchers, mint, maxt) for head in heads)

    @property
    def _partitions(self) -> list[Partition]:
        return self._assignment.partitions if self._assignment is not None else []

    def _new_partition(self, number: int) -> Partition:
        backoff = Backoff(self._settings.retry_min.seconds, self._settings.retry_max.seconds)
        return Partition(number, self._open_segment, self._sealer.start, backoff, looks_back=self._recipe.looks_back)

    def _open_segment(self, number: int, start: int, followed: tuple[Followed, ...]) -> Segment:
        if self._assignment is None:
            raise ValueError("no partition is assigned before the group is joined")
        log_id = self._assignment.subscription.log_id
        return open_segment(log_id, number, start, self._recipe, followed, annotations=self.annotations)

    def _confirm(self) -> None:
        if self._assignment is None:
            raise ValueError("no record was taken before the group was joined")
        self._assignment.subscription.confirm()

    def _join(self) -> None:
        self._assignment = Assignment(
            self._subscribe,
            self._manifests,
            self._new_partition,
            clock=self._clock,
            logger=self._logger,
            metrics=self._metrics,
        )
        log_id = self._assignment.subscription.log_id
        self._metrics.log.info({"log_id": log_id})
        with contextlib.suppress(Retryable):  # a warning is not worth waiting for the bucket
            known = self._manifests.log_ids()
            if known and log_id not in known:
                self._logger.warning(
                    "bucket has manifests of other logs and does not know this log: was the topic made again?",
                    log_id=log_id,
                    known=known,
                )

    def _turn(self, assignment: Assignment) -> None:
        """One round. Each step can be done again, so a log that fails in the middle is met by the next round."""
        self._settle(assignment)
        self._steer(assignment)
        records = assignment.subscription.poll(self._settings.poll_timeout.seconds, self._settings.poll_bytes)
        taken = [record for record in records if self._take(assignment, record)]
        self._metrics.records.inc(len(taken))
        self._metrics.record_bytes.inc(sum(len(record.key) + len(record.value) for record in taken))
        assignment.note_caught_up()
        self._observe(assignment)

    def _attempt(self, step: Callable[[], None]) -> None:
        """Where the log does not answer, notes it and waits a little instead."""
        try:
            step()
        except Retryable as error:
            wait_seconds = self._backoff.failed()
            self._failing = str(error)
            self._metrics.log_failures.inc()
            self._logger.warning("log is not available", error=str(error), retry_seconds=round(wait_seconds, 3))
            self._stopping.wait(wait_seconds)
        else:
            self._backoff.succeeded()
            self._failing = ""

    def _take(self, assignment: Assignment, record: Record) -> bool:
        """False where it will be read again, from where the partition goes on."""
        partition = assignment[record.partition]
        if partition is None or partition.adrift:
            return False
        try:
            if partition.learn(record):
                self._metrics.lookback_records.inc()
                return False
            taken = partition.take(record)
        except UnsupportedRecord:
            self._metrics.unsupported.inc()
            raise
        partition.adrift = not taken
        return taken

    def _settle(self, assignment: Assignment) -> None:
        """Takes note of segments that are done: commits, opens the way for the next, follows an adopted manifest."""
        assignment.reap()
        for partition in assignment.partitions:
            sealing = partition.sealing
            if sealing is None or not sealing.result.done():
                continue
            standing, ours = sealing.result.result()
            partition.settle(standing)
            self._account(standing, sealing.segment, ours=ours)
            try:
                assignment.subscription.commit(partition.number, standing.end)
            except Retryable as error:  # advisory: the next segment's commit says it too
                self._metrics.log_failures.inc()
                self._logger.warning("offset is not committed", partition=partition.number, error=str(error))

    def _account(self, standing: Manifest, segment: Segment, *, ours: bool) -> None:
        fields = {
            "partition": standing.partition,
            "start": standing.start,
            "end": standing.end,
            "ended_by": standing.ended_by,
            "blocks": len(standing.blocks),
        }
        self._metrics.count_manifest(standing, failovers=segment.failovers, unresolved=segment.unresolved, ours=ours)
        if segment.unresolved:
            self._logger.error(
                "records name series whose labels are not in the log: they are in the quarantine",
                records=segment.unresolved,
                **fields,
            )
        if ours:
            self._logger.info("segment published", **fields)
        else:
            self._logger.warning("segment adopted as another had published it", **fields)
        if standing.gap:
            self._logger.error("log had lost records before they were read", gap=standing.gap, **fields)

    def _steer(self, assignment: Assignment) -> None:
        """Brings the subscription where the partitions want it, and lets flow only what may."""
        subscription, partitions = assignment.subscription, assignment.partitions
        for partition in partitions:
            if not partition.located and partition.retry_at <= self._clock.monotonic():
                assignment.locate(partition)
            if partition.wanted_time is not None:
                self._look_back(subscription, partition, partition.wanted_time)
            if partition.located and partition.adrift:
                subscription.seek(partition.number, partition.position)
                partition.adrift = False
        readable = self._flow.readable(partitions, assignment.abandoned_bytes)
        for partition in partitions:
            pause = partition.number not in readable
            if pause != partition.paused:
                (subscription.pause if pause else subscription.resume)(partition.number)
                partition.paused = pause

    def _look_back(self, subscription: Subscription, partition: Partition, wanted_time: int) -> None:
        """Raises LogUnavailable: it is asked again then."""
        offset = subscription.offset_for_time(partition.number, wanted_time)
        resumed = partition.position
        partition.look_back(offset)
        if partition.position == resumed:
            return
        fields = {"partition": partition.number, "offset": offset, "until": resumed}
        if 0 < offset == subscription.start_offset(partition.number):
            self._logger.warning("log may not reach back to the labels that its records rely on", **fields)
        else:
            self._logger.info("reading labels from before the open segment", **fields)

    def _observe(self, assignment: Assignment) -> None:
        """Looks at the ends of the log: for the lag, and for segments that end where nothing more came."""
        if self._clock.monotonic() < self._observed + OBSERVE_SECONDS:
            return
        self._observed = self._clock.monotonic()
        self._metrics.observe_annotations(self.annotations)
        now = self._clock.now_ms()  # before the ends are asked for: Cutter.idle_after
        partitions = assignment.partitions
        ends = assignment.subscription.end_offsets([partition.number for partition in partitions])
        for partition in partitions:
            end_offset = ends[partition.number]
            partition.end_offset = end_offset
            segment = partition.open
            if segment is None or partition.waiting or partition.adrift or partition.learning:
                continue
            at_end = assignment.subscription.position(partition.number) >= end_offset
            if at_end and segment.idle_after(now, self._grace):
                partition.end("idle")
        self._metrics.observe(self.status(), self._clock.now_ms())

    def _drain(self, assignment: Assignment) -> None:
        """Waits a bounded time for segments on their way; open ones stay in the log."""
        deadline = self._clock.monotonic() + self._settings.drain_timeout.seconds
        self._settle(assignment)
        while waiting := [partition.sealing.result for partition in assignment.partitions if partition.sealing]:
            left = deadline - self._clock.monotonic()
            if left <= 0 or not wait(waiting, timeout=left, return_when=FIRST_COMPLETED).done:
                self._logger.warning("segments are left to the next start", segments=len(waiting))
                return
            self._settle(assignment)
