"""Every metric of the compactor: names, help texts and label values."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bucket.blocks import Block, BlockKind
from compactor.clean import REASONS
from tsdb.series_merge import SeriesCounts

_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)


class CompactorMetrics:
    """One set per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter("forebay_compactor_runs", "Runs, by how they ended.", ["outcome"], registry=registry)
        self.run_seconds = Histogram(
            "forebay_compactor_run_seconds", "Time of whole runs.", buckets=_SECONDS, registry=registry
        )
        self.last_success = Gauge(
            "forebay_compactor_last_success_timestamp_seconds", "When the last whole run ended.", registry=registry
        )
        self.blocks = Gauge(
            "forebay_compactor_blocks",
            "Blocks in the bucket at the last listing, by kind.",
            ["kind"],
            registry=registry,
        )
        self.jobs_planned = Gauge(
            "forebay_compactor_jobs_planned", "Windows to compact at the last plan.", registry=registry
        )
        self.jobs = Counter("forebay_compactor_jobs", "Jobs, by how they ended.", ["outcome"], registry=registry)
        self.job_seconds = Histogram(
            "forebay_compactor_job_seconds", "Time of jobs that were done.", buckets=_SECONDS, registry=registry
        )
        self.source_blocks = Counter("forebay_compactor_source_blocks", "Blocks merged into others.", registry=registry)
        self.samples = Counter(
            "forebay_compactor_samples",
            "Samples of merged blocks, by what became of them: written, duplicate, conflicting.",
            ["outcome"],
            registry=registry,
        )
        self.marked = Counter("forebay_compactor_marked_blocks", "Blocks marked for deletion.", registry=registry)
        self.removed = Counter(
            "forebay_compactor_removed_blocks", "Blocks removed, by why.", ["reason"], registry=registry
        )
        self.rolled_up = Counter(
            "forebay_compactor_rolled_up_manifests", "Manifests removed after they were rolled up.", registry=registry
        )
        for outcome in ("success", "failure"):
            self.runs.labels(outcome)
        for outcome in ("success", "failure", "overtaken"):
            self.jobs.labels(outcome)
        for outcome in ("written", "duplicate", "conflicting"):
            self.samples.labels(outcome)
        for reason in REASONS:
            self.removed.labels(reason)
        for kind in BlockKind:
            self.blocks.labels(kind.value)

    def observe(self, blocks: Iterable[Block]) -> None:
        """Sets the gauge of kinds."""
        tally = Tally(block.kind for block in blocks)
        for kind in BlockKind:
            self.blocks.labels(kind.value).set(tally[kind])

    def count_samples(self, counts: SeriesCounts) -> None:
        self.samples.labels("written").inc(counts.written)
        self.samples.labels("duplicate").inc(counts.duplicate)
        self.samples.labels("conflicting").inc(counts.conflicting)
