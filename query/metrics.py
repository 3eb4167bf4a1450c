"""Metrics of the read side: every name and help text."""

from prometheus_client import CollectorRegistry, Counter


class QueryMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "forebay_query_remote_read_requests_total",
            "Remote read requests by outcome.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("ok", "invalid", "unavailable"):
            self.requests.labels(outcome)
        self.samples = Counter(
            "forebay_query_remote_read_samples_total", "Samples that remote read answered with.", registry=registry
        )
