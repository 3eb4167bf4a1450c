"""An application that is measured by a real OpenTelemetry SDK, which exports by OTLP over HTTP."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from gateway.otlp.settings import OtlpSettings
from gateway.otlp.translation import Translation
from tests.faults.client import now_ms

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

TENANT = "team-otel"
LONG = "x" * 300
"""An attribute of `long.story` alone, for limits to cut."""


class Exporter(OTLPMetricExporter):
    """The SDK's own; keeps what it was given, and how that ended."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url}/api/v1/otlp/v1/metrics", headers={"X-Scope-OrgID": TENANT}, timeout=60)
        self.exported: list[ExportMetricsServiceRequest] = []
        self.failed = 0
        self.succeeded = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 60_000, **_: Any) -> MetricExportResult:
        self.exported.append(encode_metrics(metrics_data))
        result = super().export(metrics_data, timeout_millis)
        self.succeeded += result is MetricExportResult.SUCCESS
        self.failed += result is not MetricExportResult.SUCCESS
        return result

    def wait(self, more: int = 3, timeout: float = 60) -> None:
        """Until so many more exports have succeeded. Raises TimeoutError."""
        wanted, deadline = self.succeeded + more, time.monotonic() + timeout
        while self.succeeded < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no {more} exports within {timeout} s: {self.succeeded} succeeded, {self.failed} failed"
                )
            time.sleep(0.1)

    def translated(self) -> list[bytes]:
        now = now_ms()
        return [
            body
            for request in self.exported
            for body in Translation(OtlpSettings(), now - 600_000, now + 600_000, 8 << 20).requests(request)
        ]


class Application:
    """Counts, measures and traces without a pause, until it is told to end."""

    def __init__(self, exporter: Exporter) -> None:
        resource = Resource.create({"service.name": "shop", "service.namespace": "prod", "service.instance.id": "i-1"})
        self._provider = MeterProvider(
            [PeriodicExportingMetricReader(exporter, export_interval_millis=500, export_timeout_millis=60_000)],
            resource=resource,
            views=[View(instrument_name="*.exponential", aggregation=ExponentialBucketHistogramAggregation())],
        )
        self._tracer = TracerProvider(resource=resource).get_tracer("shop")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """The last export is done when this returns."""
        self._end.set()
        self._thread.join()
        self._provider.shutdown(60_000)

    def _run(self) -> None:
        meter = self._provider.get_meter("shop", "1.0")
        orders = meter.create_counter("shop.orders", "{order}", "Orders taken.")
        queue = meter.create_up_down_counter("shop.queue.length")
        latency = meter.create_histogram("http.server.request.duration", "s", "How long requests took.")
        sizes = meter.create_histogram("order.size.exponential", "By")
        story = meter.create_counter("long.story")
        rounds = 0

        def observed(_: CallbackOptions) -> Iterator[Observation]:
            yield Observation(rounds / 10, {"cpu": "0"})

        meter.create_observable_gauge("system.load", [observed], "1")
        while not self._end.wait(0.005):
            rounds += 1
            route: dict[str, str | int] = {"http.route": f"/api/{rounds % 20}", "http.response.status_code": 200}
            with self._tracer.start_as_current_span("request"):
                orders.add(1, route)
                story.add(1, {"text": LONG})
                queue.add(1 if rounds % 3 else -2)
                latency.record(rounds % 100 / 100, route)
                sizes.record(rounds % 1000, {"big": rounds % 1000 > 500})
