"""Every number that the model did not work out itself, with its unit and its source.

`forebay bench figures` prints them. Measured ones are of 2 cores of an AMD EPYC, 100k series of ten labels unless the
source says otherwise. Where a peer can be seen in two ways, the kinder one is taken.
"""

from dataclasses import dataclass, fields

from forebay.scenarios.figure import Figure

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_BENCH = "make bench (docs/performance.md)"
_BROKER = "python -m bench.broker"
_RESTART = "python -m bench.restart (docs/performance.md)"
_ELASTIC = "make elastic (docs/elastic.md)"
_ANCHORS = "the peers under the same load on the same machine, quiet"
_MIMIR = "Mimir, planning capacity and configuration reference"
_THANOS = "Thanos 0.42.3, cmd/thanos/receive.go"
_PROMETHEUS = "Prometheus 3, remote_write queue_config"
_KAFKA = "Kafka 4.1, broker.session.timeout.ms and the election after it"
_LIST = "list prices of a large cloud, us-east, on demand"


@dataclass(frozen=True)
class Calibration:
    """Rates are of one CPU second unless they say otherwise."""

    # What comes in.
    scrape_seconds: float = Figure(15, "s", "assumed", "the interval of every measured load")
    request_samples: float = Figure(2000, "samples", "published", f"{_PROMETHEUS}, max_samples_per_send")
    sender_series: float = Figure(1e6, "series", "assumed", "one Prometheus for each million")
    sender_shards: float = Figure(50, "shards", "published", f"{_PROMETHEUS}, max_shards")
    sender_reshard: float = Figure(10, "s", "published", "Prometheus 3, shardUpdateDuration")
    sender_backoff: float = Figure(5, "s", "published", f"{_PROMETHEUS}, max_backoff")
    request_seconds: float = Figure(0.04, "s", "measured", f"{_ELASTIC}: p50 of a write on Kafka")

    # Forebay.
    gateway_rate: float = Figure(1e6 / 0.71, "samples", "measured", _BROKER)
    gateway_scaled_after: float = Figure(60, "s", "assumed", "HorizontalPodAutoscaler and a start of a pod")
    gateway_queue: float = Figure(64 * MIB, "bytes", "published", "broker.kafka.queue_bytes")
    consumer_rate: float = Figure(1e6 / 0.98, "samples", "measured", f"{_BROKER}: to published blocks, segments of 1 s")
    rebuild_rate: float = Figure(30e6 / 10.1, "samples", "measured", f"{_RESTART}: 30M samples read again")
    assign_seconds: float = Figure(1.36, "s", "measured", f"{_ELASTIC}: dynamic members, 1 to 4, until assigned")
    heartbeat: float = Figure(3, "s", "published", "librdkafka, heartbeat.interval.ms")
    consumer_base: float = Figure(67 * MIB, "bytes", "measured", f"{_BENCH}: memory of a process without series")
    consumer_series: float = Figure(0.48 * KIB, "bytes", "measured", f"{_BENCH}: grown by a series, at 1M")
    consumer_sample: float = Figure(10.4, "bytes", "measured", f"{_RESTART}: peak with 30M samples in one open segment")
    record_sample: float = Figure(330, "bytes", "measured", f"{_RESTART}: a sample of a record, uncompressed")
    log_sample: float = Figure(26.7, "bytes", "measured", f"{_BROKER}: a sample in the log, LZ4")

    # The log of both designs that have one.
    broker_write: float = Figure(0.69e-6, "CPU s", "measured", f"{_BROKER}: a sample is appended")
    broker_read: float = Figure(0.52e-6, "CPU s", "measured", f"{_BROKER}: read by a follower or a consumer")
    election_seconds: float = Figure(10, "s", "published", _KAFKA)
    log_replicas: float = Figure(3, "copies", "published", "create_topic.replication_factor")
    log_retention: float = Figure(86_400, "s", "assumed", "a day, as docs/scale-out.md advises")

    # RF-3 hashring receivers.
    receiver_rate: float = Figure(50_000, "samples", "measured", f"{_ANCHORS}: Thanos Receive 0.42.3, RF 3")
    receiver_series: float = Figure(4.3 * KIB, "bytes", "measured", f"{_ANCHORS}: Thanos Receive, of one copy")
    forward_sample: float = Figure(59, "bytes", "measured", "bench.load: a sample in a request, snappy")
    ring_spread: float = Figure(60, "s", "published", "kubelet, syncFrequency: a ConfigMap reaches every pod")

    # One ingester for each partition and zone.
    ingester_rate: float = Figure(380_000, "samples", "measured", f"{_ANCHORS}: Mimir classic, 190k, halved")
    distributor_rate: float = Figure(380_000, "samples", "measured", f"{_ANCHORS}: Mimir classic, the other half")
    ingest_storage_rate: float = Figure(80_000, "samples", "measured", f"{_ANCHORS}: Mimir with ingest storage, broker")
    ingester_series: float = Figure(2.7 * KIB, "bytes", "measured", f"{_ANCHORS}: Prometheus' head; {_MIMIR}: 8.3 KiB")
    zones: float = Figure(2, "zones", "published", "Mimir, ingest storage: an ingester of each zone for a partition")
    partition_active: float = Figure(10, "s", "published", f"{_MIMIR}, min-partition-owners-duration")
    partition_inactive: float = Figure(46_800, "s", "published", f"{_MIMIR}, delete-inactive-partition-after, 13h")
    ingester_queue: float = Figure(GIB, "bytes", "published", f"{_MIMIR}, producer-max-buffered-bytes")

    # Both peers keep a Prometheus head and its WAL.
    replay_rate: float = Figure(30e6 / 15.8, "samples", "measured", f"{_RESTART}: Prometheus 3.15, its WAL")
    head_least: float = Figure(3600, "s", "published", "Prometheus: a head is cut at 1.5 block ranges, keeping half")
    head_range: float = Figure(7200, "s", "published", f"{_THANOS}, tsdb.block-duration")

    # Machines, and what they cost.
    busy: float = Figure(0.6, "of a core", "assumed", "gateway-scaling.yaml: how far machines are filled")
    pod_restart: float = Figure(10, "s", "assumed", "a pod is stopped, and its process serves again")
    pod_start: float = Figure(30, "s", "assumed", "a new pod is scheduled, its image pulled, and it serves")
    core_hour: float = Figure(0.034, "$", "published", _LIST)
    gib_hour: float = Figure(0.0045, "$", "published", _LIST)
    disk_month: float = Figure(0.08, "$/GB", "published", _LIST)
    zone_gb: float = Figure(0.02, "$/GB", "published", f"{_LIST}: out of one zone and into another")
    disk_sample: float = Figure(2.0, "bytes", "published", f"{_MIMIR}: a sample on disk, index and chunks")


def figures(calibration: Calibration) -> list[tuple[str, Figure]]:
    """Name and figure of each. A value that was replaced by hand counts as assumed."""
    found = []
    for each in fields(calibration):
        value = getattr(calibration, each.name)
        figure = value if isinstance(value, Figure) else Figure(value, "", "assumed", "given by hand")
        found.append((each.name, figure))
    return found
