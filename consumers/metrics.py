"""Every metric of the consumer: names, help texts and label values."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from bucket.manifest import EndedBy, Ledger, Manifest
from consumers.annotations import Annotations
from consumers.status import PartitionStatus

ENDED_BY: tuple[EndedBy, ...] = ("mark", "bytes", "gap", "idle", "shutdown", "replay")
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class ConsumerMetrics:
    """One set per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.log = Info("forebay_consumer_log", "The log that is read, by its id.", registry=registry)
        self.records = Counter("forebay_consumer_records", "Records taken from the log.", registry=registry)
        self.record_bytes = Counter(
            "forebay_consumer_record_bytes", "Bytes of keys and values of records taken.", registry=registry
        )
        self.quarantined = Counter(
            "forebay_consumer_quarantined_records",
            "Records that could not be decoded and were set aside.",
            registry=registry,
        )
        self.unresolved = Counter(
            "forebay_consumer_unresolved_records",
            "Records set aside since they name a series by a hash that resolves to no labels: to be alarmed at.",
            registry=registry,
        )
        self.lookback_records = Counter(
            "forebay_consumer_lookback_records",
            "Records before an open segment that were read for their labels alone.",
            registry=registry,
        )
        self.unsupported = Counter(
            "forebay_consumer_unsupported_records",
            "Records of a newer version; the first one stops the process.",
            registry=registry,
        )
        self.samples = Counter(
            "forebay_consumer_samples",
            "Samples of published segments, by what became of them: stored, duplicate, deduplicated, rejected.",
            ["outcome"],
            registry=registry,
        )
        self.rejected = Counter(
            "forebay_consumer_rejected_samples",
            "Rejected samples of published segments.",
            ["reason"],
            registry=registry,
        )
        self.failovers = Counter(
            "forebay_consumer_failovers",
            "How often another replica of an HA pair was followed, in published segments: once for each partition.",
            registry=registry,
        )
        self.segments = Counter(
            "forebay_consumer_segments", "Segments published, by why they ended.", ["ended_by"], registry=registry
        )
        self.blocks = Counter("forebay_consumer_blocks", "Blocks published.", registry=registry)
        self.adopted = Counter(
            "forebay_consumer_segments_adopted",
            "Segments whose manifest another had created with another end or recipe.",
            registry=registry,
        )
        self.lost_offsets = Counter(
            "forebay_consumer_lost_offsets", "Offsets that the log had lost before they were read.", registry=registry
        )
        self.publish_failures = Counter(
            "forebay_consumer_publish_failures",
            "Failed attempts to build or publish a segment; each is retried.",
            registry=registry,
        )
        self.log_failures = Counter(
            "forebay_consumer_log_failures",
            "Failed calls to the log or for the chain's end; each is retried.",
            registry=registry,
        )
        self.build_seconds = Histogram(
            "forebay_consumer_build_seconds",
            "Time to build the blocks of a segment.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.publish_seconds = Histogram(
            "forebay_consumer_publish_seconds",
            "Time from a segment's end to its manifest.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.takeover_seconds = Histogram(
            "forebay_consumer_takeover_seconds",
            "Time from a partition's assignment until reading is where the log ended then.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "forebay_consumer_lag_records", "Records of the log not yet taken.", ["partition"], registry=registry
        )
        self.lag_seconds = Gauge(
            "forebay_consumer_lag_seconds",
            "Age of the last record taken while there are newer ones; 0 at the log's end.",
            ["partition"],
            registry=registry,
        )
        self.unpublished = Gauge(
            "forebay_consumer_unpublished_records",
            "Records of the log behind the last manifest.",
            ["partition"],
            registry=registry,
        )
        self.partitions = Gauge("forebay_consumer_partitions", "Partitions assigned.", registry=registry)
        self.paused = Gauge(
            "forebay_consumer_paused_partitions",
            "Partitions not read on until a segment is published.",
            registry=registry,
        )
        self.sealing = Gauge(
            "forebay_consumer_sealing_segments", "Segments on their way into the bucket.", registry=registry
        )
        self.open_series = Gauge("forebay_consumer_open_series", "Series in heads.", registry=registry)
        self.head_bytes = Gauge("forebay_consumer_head_bytes", "Memory held by heads.", registry=registry)
        self.head_bytes_limit = Gauge(
            "forebay_consumer_head_bytes_limit", "Memory that heads may hold (consumer.memory).", registry=registry
        )
        self.annotation_bytes = Gauge(
            "forebay_consumer_annotation_bytes", "Memory held by exemplars and metadata.", registry=registry
        )
        self.annotated_tenants = Gauge(
            "forebay_consumer_annotated_tenants", "Tenants whose exemplars and metadata are known.", registry=registry
        )
        self.forgotten_tenants = Gauge(
            "forebay_consumer_forgotten_tenants",
            "Tenants whose exemplars and metadata made room for others' (consumer.annotation_memory), so far.",
            registry=registry,
        )
        for outcome in ("stored", "duplicate", "deduplicated", "rejected"):
            self.samples.labels(outcome)
        for ended_by in ENDED_BY:
            self.segments.labels(ended_by)

    def count_manifest(self, manifest: Manifest, *, failovers: int, unresolved: int, ours: bool) -> None:
        """Adds what a segment became; of an adopted one only that it was, since another counted it."""
        if not ours:
            self.adopted.inc()
            return
        self.segments.labels(manifest.ended_by).inc()
        self.blocks.inc(len(manifest.blocks))
        self.quarantined.inc(len(manifest.quarantined))
        if manifest.gap:
            self.lost_offsets.inc(manifest.gap[1] - manifest.gap[0])
        self.failovers.inc(failovers)
        self.unresolved.inc(unresolved)
        for ledger in manifest.ledger.values():
            self._count_ledger(ledger)

    def observe(self, statuses: Collection[PartitionStatus], now_ms: int) -> None:
        """Sets the gauges."""
        self.partitions.set(len(statuses))
        self.paused.set(sum(status.paused for status in statuses))
        self.sealing.set(sum(status.sealing for status in statuses))
        self.head_bytes.set(sum(status.memory_bytes for status in statuses))
        self.open_series.set(sum(status.series for status in statuses))
        for status in statuses:
            self.lag.labels(str(status.partition)).set(status.lag)
            self.lag_seconds.labels(str(status.partition)).set(status.lag_seconds(now_ms))
            self.unpublished.labels(str(status.partition)).set(status.unpublished)

    def observe_annotations(self, annotations: Annotations) -> None:
        """Sets the gauges."""
        self.annotation_bytes.set(annotations.memory_bytes)
        self.annotated_tenants.set(len(annotations))
        self.forgotten_tenants.set(annotations.tenants_forgotten)

    def _count_ledger(self, ledger: Ledger) -> None:
        self.samples.labels("stored").inc(ledger.stored)
        self.samples.labels("duplicate").inc(ledger.duplicate)
        self.samples.labels("deduplicated").inc(ledger.deduplicated)
        for reason, samples in ledger.rejected.items():
            self.samples.labels("rejected").inc(samples)
            self.rejected.labels(reason).inc(samples)

    def forget(self, partition: int) -> None:
        """Another member has it now."""
        for gauge in (self.lag, self.lag_seconds, self.unpublished):
            gauge.labels(str(partition))  # one that was never set cannot be removed
            gauge.remove(str(partition))
