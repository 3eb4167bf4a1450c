"""Every metric of the gateway, its name and its help text."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

CODES = ("200", "204", "400", "403", "413", "415", "429", "500", "503")
_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
_SIZES = (1 << 10, 1 << 13, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 25)


class GatewayMetrics:
    """One per application; every label value that can be known is there from the start, at 0."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        log_id: str,
        reasons: Iterable[str],
        in_flight_bytes: Callable[[], float],
        in_flight_requests: Callable[[], float],
        backlog_bytes: Callable[[], float],
        partitions: Callable[[], float],
        active_series: Callable[[], float] = int,
        active_series_bytes: Callable[[], float] = int,
        sharing_gateways: Callable[[], float] = int,
        known_labels: Callable[[], float] = int,
        known_labels_bytes: Callable[[], float] = int,
    ) -> None:
        log = Info("forebay_gateway_log", "The log that is written to, by its id.", registry=registry)
        log.info({"log_id": log_id})
        requests = Counter(
            "forebay_gateway_requests_total",
            "Write requests answered, by HTTP status code.",
            ["code"],
            registry=registry,
        )
        self.requests = {int(code): requests.labels(code) for code in CODES}
        samples = Counter(
            "forebay_gateway_samples_total",
            "Samples made durable in the log, by type.",
            ["type"],
            registry=registry,
        )
        self.floats = samples.labels("float")
        self.histograms = samples.labels("histogram")
        rejected = Counter(
            "forebay_gateway_rejected_samples_total",
            "Samples refused, by reason; of a request that was refused unread, none.",
            ["reason"],
            registry=registry,
        )
        shadow_rejected = Counter(
            "forebay_gateway_shadow_rejected_samples_total",
            "Samples that a limit in shadow mode would have refused, by reason.",
            ["reason"],
            registry=registry,
        )
        reasons = tuple(reasons)
        self.rejected = {reason: rejected.labels(reason) for reason in reasons}
        self.shadow_rejected = {reason: shadow_rejected.labels(reason) for reason in reasons}
        self.tenant_rejected = Counter(
            "forebay_gateway_tenant_rejected_samples_total",
            "Samples refused, by tenant; a bounded number of tenants have a value of their own.",
            ["tenant"],
            registry=registry,
        )
        self.tenant_shadow_rejected = Counter(
            "forebay_gateway_tenant_shadow_rejected_samples_total",
            "Samples that a limit in shadow mode would have refused, by tenant.",
            ["tenant"],
            registry=registry,
        )
        self.dropped = Counter(
            "forebay_gateway_dropped_samples_total",
            "Samples of series that relabel rules have dropped; their senders are told that they were written.",
            registry=registry,
        )
        self.series = Counter(
            "forebay_gateway_series_total", "Series entries made durable in the log.", registry=registry
        )
        self.labelled = Counter(
            "forebay_gateway_labelled_series_total",
            "Series entries in records of version 2 that have their labels.",
            registry=registry,
        )
        self.label_rewrites = Counter(
            "forebay_gateway_label_rewrites_total",
            "Records appended again with labels, because those they relied on lay too far back in the log.",
            registry=registry,
        )
        self.unnamed = Counter(
            "forebay_gateway_unnamed_replica_series_total",
            "Series stored without deduplication, because their request was of too many HA replicas.",
            registry=registry,
        )
        self.exemplars = Counter(
            "forebay_gateway_exemplars_total", "Exemplars made durable in the log.", registry=registry
        )
        self.metadata = Counter(
            "forebay_gateway_metadata_total", "Metric metadata entries made durable in the log.", registry=registry
        )
        self.records = Counter("forebay_gateway_records_total", "Records made durable in the log.", registry=registry)
        self.record_bytes = Counter(
            "forebay_gateway_record_bytes_total", "Value bytes of records made durable in the log.", registry=registry
        )
        self.received_bytes = Counter(
            "forebay_gateway_received_bytes_total", "Compressed bytes of bodies read.", registry=registry
        )
        self.body_bytes = Histogram(
            "forebay_gateway_body_bytes", "Decompressed size of a body.", buckets=_SIZES, registry=registry
        )
        self.request_seconds = Histogram(
            "forebay_gateway_request_duration_seconds",
            "From the end of a request's headers to its answer.",
            buckets=_DURATIONS,
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "forebay_gateway_wait_seconds",
            "How long requests that were worked on had waited for their turn.",
            buckets=_DURATIONS,
            registry=registry,
        )
        self.waiting = Gauge(
            "forebay_gateway_waiting_requests",
            "Requests whose body is there and that wait for their turn.",
            registry=registry,
        )
        self.places = Gauge(
            "forebay_gateway_places",
            "How many requests may be at work at a time: fewer while they take longer than gateway.work_target.",
            registry=registry,
        )
        refused = Counter(
            "forebay_gateway_overload_refusals_total",
            "Requests answered with 503 because of load, by what was short: turn, memory, log.",
            ["short"],
            registry=registry,
        )
        self.refused = {each: refused.labels(each) for each in ("turn", "memory", "log")}
        self.append_seconds = Histogram(
            "forebay_gateway_append_duration_seconds",
            "How long the log took to make a request's records durable.",
            buckets=_DURATIONS,
            registry=registry,
        )
        for name, text, value in (
            ("forebay_gateway_in_flight_bytes", "Bytes held by requests that are not answered yet.", in_flight_bytes),
            ("forebay_gateway_in_flight_requests", "Requests that are not answered yet.", in_flight_requests),
            ("forebay_gateway_backlog_bytes", "Bytes handed to the log and not durable yet.", backlog_bytes),
            ("forebay_gateway_active_series", "Active series of tenants that have a limit of them.", active_series),
            ("forebay_gateway_active_series_bytes", "Memory that active series take.", active_series_bytes),
            ("forebay_gateway_known_labels", "Series whose labels may be left out of records.", known_labels),
            ("forebay_gateway_known_labels_bytes", "Memory that they take.", known_labels_bytes),
            (
                "forebay_gateway_sharing_gateways",
                "Gateway processes that hold limits together, this one among them; 0 while it does not hear of others.",
                sharing_gateways,
            ),
            ("forebay_gateway_partitions", "Partitions of the log that series are routed over.", partitions),
        ):
            Gauge(name, text, registry=registry).set_function(value)
