"""The compactor: keeps the bucket in shape.

catalog (blocks, and what the manifests say of them)
   |-> mark what is covered by an output already, or replaced by a rebuild
   |-> plan -> merge -> mark the sources
   |-> remove what was marked long ago, orphans, given-up uploads
   +-> roll up old manifests
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from bucket.blocks import Block, BlockCatalog, BlockKind
from bucket.bucket import Bucket, ObjectNotFound
from bucket.manifests import ManifestStore
from bucket.workspace import Workspace
from compactor.clean import Cleaner
from compactor.directory import is_whole
from compactor.marks import Marks
from compactor.merge_job import Merger
from compactor.metrics import CompactorMetrics
from compactor.plan import Job, find_covers, plan
from compactor.settings import CompactorSettings
from forebay.clock import Clock
from forebay.errors import InvalidData, Retryable


class Summary(NamedTuple):
    """What a run did."""

    compacted: int
    """Jobs done."""
    failed: int
    """Jobs whose sources are damaged."""
    marked: int
    removed: int
    rolled_up: int


class Compactor:
    """Any number may work on one bucket: they do work twice, and no harm. `run` and `run_once` belong to one thread.

    `workspace` is this compactor's own, for work in progress; what is in it may vanish between runs.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        settings: CompactorSettings,
        workspace: Workspace,
        clock: Clock,
        logger: FilteringBoundLogger,
        registry: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._metrics = CompactorMetrics(registry)
        self._bucket = bucket
        self._catalog = BlockCatalog(bucket)
        self._manifests = ManifestStore(bucket)
        self._merger = Merger(bucket, workspace, settings.segment_bytes)
        self._marks = Marks(bucket, clock)
        self._cleaner = Cleaner(bucket, self._manifests, self._marks, settings, clock)
        self._whole: set[str] = set()
        self._rolled_up_at = float("-inf")
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why this compactor is not well; empty where it is. Any thread."""
        return self._problem

    def run(self, stop: threading.Event) -> None:
        """Runs until `stop` is set; a job that has begun is finished first. Raises Fatal.

        What may pass is logged and tried again, after waits that double up to `retry_max`.
        """
        failures = 0
        while not stop.is_set():
            try:
                self.run_once(stop)
                failures = 0
            except Retryable as error:
                failures += 1
                wait = self._wait(failures)
                self._logger.warning("compaction run failed", error=str(error), wait_seconds=wait)
            stop.wait(self._wait(failures))

    def run_once(self, stop: threading.Event | None = None) -> Summary:
        """Does all that is to be done now; between two jobs it looks at `stop`.

        A job whose sources are damaged is logged, and the others are done. Raises Retryable and Fatal.
        """
        began = self._clock.monotonic()
        try:
            summary, damaged = self._run(stop or threading.Event())
        except Exception as error:
            self._metrics.runs.labels("failure").inc()
            self._problem = str(error)
            raise
        self._problem = damaged
        self._metrics.runs.labels("success").inc()
        self._metrics.run_seconds.observe(self._clock.monotonic() - began)
        self._metrics.last_success.set(self._clock.now_ms() / 1000)
        return summary

    def _run(self, stop: threading.Event) -> tuple[Summary, str]:
        blocks = list(self._catalog.every())
        self._metrics.observe(blocks)
        self._marks.keep({block.ulid for block in blocks})
        live = self._find_live(blocks)
        covers = find_covers(live)
        marked = self._mark_covered(covers) + self._mark_replaced(blocks)
        self._unmark(blocks, live, covers)
        jobs = self._plan(live, covers)
        self._metrics.jobs_planned.set(len(jobs))
        compacted, failed, damaged = 0, 0, ""
        for job in jobs:
            if stop.is_set():
                break
            try:
                marked += self._compact(job)
                compacted += 1
            except ObjectNotFound as error:  # another compactor was faster, and cleaned too: the next listing shows it
                self._metrics.jobs.labels("overtaken").inc()
                self._logger.info("job was overtaken", tenant=job.tenant, window=job.window, error=str(error))
            except InvalidData as error:
                failed += 1
                damaged = damaged or f"window cannot be compacted tenant={job.tenant} window={job.window}: {error}"
                self._metrics.jobs.labels("failure").inc()
                self._logger.error(  # noqa: TRY400 - what is damaged is in the message, not in the stack
                    "job failed", tenant=job.tenant, window=job.window, error=str(error), sources=_names(job)
                )
        removed = self._clean(blocks, covers)
        return Summary(compacted, failed, marked, removed, self._roll_up()), damaged

    def _find_live(self, blocks: Sequence[Block]) -> list[Block]:
        """An output with missing files counts for nothing: its sources are merged again, into the same output."""
        outputs = [block.ulid for block in blocks if block.kind is BlockKind.COMPACTED]
        self._whole &= set(outputs)
        self._whole |= {ulid for ulid in outputs if ulid not in self._whole and is_whole(self._bucket, ulid)}
        return [block for block in blocks if block.kind is BlockKind.SEGMENT or block.ulid in self._whole]

    def _mark_covered(self, covers: Mapping[str, str]) -> int:
        """Finishes what a compactor began that ended between an output and its marks."""
        marked = 0
        for ulid, cover in covers.items():
            if self._marks.get(ulid) is not None:
                continue
            if is_whole(self._bucket, cover):
                marked += self._mark(ulid, cover)
            else:
                self._whole.discard(cover)  # and made again in the next run
        return marked

    def _mark_replaced(self, blocks: Iterable[Block]) -> int:
        replaced = [block.ulid for block in blocks if block.kind is BlockKind.REPLACED]
        marked = sum(self._marks.mark_replaced(ulid) for ulid in replaced if self._marks.get(ulid) is None)
        self._metrics.marked.inc(marked)
        return marked

    def _unmark(self, blocks: Iterable[Block], live: Sequence[Block], covers: Mapping[str, str]) -> None:
        """What was marked as a source of an output that a rebuild has replaced counts again."""
        for output in blocks:
            if output.kind is BlockKind.REPLACED and output.level > 1:
                for block in live:
                    if block.ulid not in covers and block.sources <= output.sources and self._is_marked_by_us(block):
                        self._marks.unmark(block.ulid)

    def _plan(self, live: Sequence[Block], covers: Mapping[str, str]) -> list[Job]:
        now, delay = self._clock.now_ms(), self._settings.close_delay
        jobs = plan(live, covers, now, delay)
        # Only blocks with a job in sight are asked for marks: there are few of them.
        unwanted = {block.ulid for job in jobs for block in job.sources if self._is_unwanted(block)}
        return plan(live, {*covers, *unwanted}, now, delay) if unwanted else jobs

    def _is_unwanted(self, block: Block) -> bool:
        """Marked by somebody who wants it gone. A mark of ours is no reason: what stood in its place is gone."""
        mark = self._marks.get(block.ulid)
        return mark is not None and not mark.is_ours

    def _is_marked_by_us(self, block: Block) -> bool:
        mark = self._marks.get(block.ulid)
        return mark is not None and mark.is_ours

    def _compact(self, job: Job) -> int:
        began = self._clock.monotonic()
        merged = self._merger.run(job)
        # Only now: the output is whole in the bucket.
        marked = sum(self._mark(block.ulid, merged.meta.ulid) for block in job.sources)
        self._metrics.jobs.labels("success").inc()
        self._metrics.job_seconds.observe(self._clock.monotonic() - began)
        self._metrics.source_blocks.inc(len(job.sources))
        self._metrics.count_samples(merged.counts)
        self._logger.info(
            "window compacted",
            tenant=job.tenant,
            window=job.window,
            ulid=merged.meta.ulid,
            sources=len(job.sources),
            samples=merged.counts.written,
            duplicate=merged.counts.duplicate,
            conflicting=merged.counts.conflicting,
        )
        return marked

    def _mark(self, ulid: str, cover: str) -> int:
        marked = self._marks.mark(ulid, cover)
        self._metrics.marked.inc(marked)
        return int(marked)

    def _clean(self, blocks: Sequence[Block], covers: Mapping[str, str]) -> int:
        removed = 0
        for ulid, reason in self._cleaner.run(blocks, covers):
            removed += 1
            self._metrics.removed.labels(reason).inc()
            self._logger.info("block removed", ulid=ulid, reason=reason)
        return removed

    def _roll_up(self) -> int:
        now = self._clock.monotonic()
        if now - self._rolled_up_at < self._settings.rollup_interval.seconds:
            return 0
        removed = sum(self._manifests.roll_up(*partition) for partition in self._manifests.partitions())
        self._rolled_up_at = now
        self._metrics.rolled_up.inc(removed)
        return removed

    def _wait(self, failures: int) -> float:
        return min(self._settings.retry_max.seconds, self._settings.interval.seconds * 2.0 ** min(failures, 30))


def _names(job: Job) -> list[str]:
    return [block.ulid for block in job.sources]
