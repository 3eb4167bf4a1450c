"""A real OpenTelemetry SDK writes through restarts of the gateway and an outage of Kafka: all it exported is in blocks.

What the SDK's exporter is handed is kept and translated here, too; that the translation is right is for
tests/gateway/otlp/test_differential.py.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
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
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import load
from tests.faults.client import now_ms
from tests.gateway.otlp.stored import exemplars_of, samples_of
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.peer("kafka-4.1")]


class Exporter(OTLPMetricExporter):
    """The SDK's own; keeps what it was given, and how that ended."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url}/api/v1/otlp/v1/metrics", headers={"X-Scope-OrgID": "team-otel"}, timeout=60)
        self.exported: list[ExportMetricsServiceRequest] = []
        self.failed = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 60_000, **_: Any) -> MetricExportResult:
        self.exported.append(encode_metrics(metrics_data))
        result = super().export(metrics_data, timeout_millis)
        self.failed += result is not MetricExportResult.SUCCESS
        return result

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
        rounds = 0

        def observed(_: CallbackOptions) -> Iterator[Observation]:
            yield Observation(rounds / 10, {"cpu": "0"})

        meter.create_observable_gauge("system.load", [observed], "1")
        while not self._end.wait(0.005):
            rounds += 1
            route: dict[str, str | int] = {"http.route": f"/api/{rounds % 20}", "http.response.status_code": 200}
            with self._tracer.start_as_current_span("request"):
                orders.add(1, route)
                queue.add(1 if rounds % 3 else -2)
                latency.record(rounds % 100 / 100, route)
                sizes.record(rounds % 1000, {"big": rounds % 1000 > 500})


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(peer("kafka-4.1"), tmp_path / "broker") as broker:
        yield broker


def test_nothing_that_the_sdk_exports_is_lost(broker: KafkaBroker, tmp_path: Path) -> None:
    settings = {
        "broker": {
            "type": "kafka",
            "kafka": {
                "bootstrap_servers": broker.bootstrap,
                "create_topic": {"partitions": 4, "replication_factor": 1},
                "delivery_timeout": "3s",
            },
        },
        "gateway": {"append_timeout": "4s"},
        "bucket": {"type": "FILESYSTEM", "config": {"directory": str(tmp_path / "bucket")}},
        "segment": {"interval": "5s", "grace": "1s"},
    }
    with (
        ForebayServer(tmp_path / "gateway", settings, role="gateway") as gateway,
        ForebayServer(tmp_path / "consumer", settings, role="consumer") as consumer,
    ):
        gateway.ready()
        consumer.ready()
        exporter = Exporter(gateway.url)
        application = Application(exporter)
        time.sleep(3)
        assert gateway.stop() == 0
        time.sleep(1)
        gateway.start().ready()
        time.sleep(2)
        broker.pause()
        time.sleep(6)
        broker.resume()
        time.sleep(2)
        gateway.kill()
        gateway.start().ready()
        time.sleep(2)
        application.end()
        assert exporter.failed == 0
        consumer.wait_published()
        code, report = audit(consumer.settings_file, consumer.data, "--deep")
        assert code == 0, report
    bodies = exporter.translated()
    expected, stored = samples_of(bodies), load(tmp_path / "bucket")
    names = {dict(labels)[b"__name__"].decode() for labels, _ in expected}
    assert names == {
        "shop_orders_total",
        "shop_queue_length",
        "http_server_request_duration_seconds_bucket",
        "http_server_request_duration_seconds_count",
        "http_server_request_duration_seconds_sum",
        "order_size_exponential_bytes",
        "system_load_ratio",
        "target_info",
    }
    assert len(exporter.exported) > 10
    assert {labels[0][0] for _, labels, _, _ in exemplars_of(bodies)} == {b"span_id"}
    assert {key: set(values) for key, values in stored.items()} == {
        key: set(values) for key, values in expected.items()
    }
