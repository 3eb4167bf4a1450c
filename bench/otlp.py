"""What OTLP costs a gateway, beside Prometheus' own receiver: `python -m bench.otlp`.

Each type of point in requests of a thousand, as collectors send them, over one connection; CPU seconds of the process
from the first request to the last, its start taken off.
"""

import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from bench.process import Measured, forebay
from tests.peers.process import free_port
from tests.peers.recipes import PEERS

POINTS = 1000
REQUESTS = 60
PATH = "/api/v1/otlp/v1/metrics"
_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
KINDS: Final = {"gauge": 1, "sum": 1, "histogram": len(_BOUNDS) + 3, "exponential_histogram": 1}
"""Samples that a point becomes."""


def body(kind: str, at: int) -> bytes:
    """A thousand points of ten metrics, six attributes each; the same series at every time (ms)."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    for key, text in (("service.name", "shop"), ("service.instance.id", "i-1"), ("host.name", "h-1")):
        resource.resource.attributes.add(key=key).value.string_value = text
    metrics = resource.scope_metrics.add().metrics
    for number in range(10):
        metric = metrics.add(name=f"http.server.duration.{number}", unit="s", description="How long requests took.")
        for each in range(POINTS // 10):
            point = _add(metric, kind, each)
            point.time_unix_nano = at * 1_000_000
            for key, text in (
                ("http.method", "GET"),
                ("http.route", f"/api/v1/things/{each}"),
                ("http.status_code", "200"),
                ("net.peer.name", f"10.0.0.{each}"),
                ("k8s.namespace.name", "payments"),
                ("k8s.pod.name", f"api-7f9c8d5b6-{each:05d}"),
            ):
                point.attributes.add(key=key).value.string_value = text
    return request.SerializeToString()


def _add(metric: Metric, kind: str, number: int) -> Any:
    data = getattr(metric, kind)
    point = data.data_points.add()
    if kind != "gauge":
        data.aggregation_temporality = _CUMULATIVE
    if kind == "gauge":
        point.as_double = number * 1.5
    elif kind == "sum":
        data.is_monotonic = True
        point.as_int = number
    elif kind == "histogram":
        point.explicit_bounds.extend(_BOUNDS)
        point.bucket_counts.extend(range(len(_BOUNDS) + 1))
        point.count, point.sum = sum(range(len(_BOUNDS) + 1)), 3.0
    else:
        point.scale, point.count, point.sum = 5, 60, 9.0
        point.positive.offset = -20
        point.positive.bucket_counts.extend([1] * 60)
    return point


@contextmanager
def gateway(directory: Path) -> Iterator[tuple[Measured, int]]:
    port, settings = free_port(), directory / "forebay.yaml"
    settings.write_text("{}\n")
    with forebay("gateway", port, settings, directory / "data", directory / "log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        yield process, port


@contextmanager
def prometheus(directory: Path) -> Iterator[tuple[Measured, int]]:
    port, settings = free_port(), directory / "prometheus.yml"
    settings.write_text("{}\n")
    command: list[str | Path] = [
        PEERS["prometheus-3.15"].program("prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
    ]
    with Measured(command, directory / "log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        yield process, port


def measured(process: Measured, port: int, kind: str, first: int) -> float:
    """Points per CPU-second; from the time `first` (ms) on, a second a request."""
    bodies = [body(kind, first + number * 1000) for number in range(REQUESTS)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    before = process.cpu_seconds()
    for each in bodies:
        connection.request("POST", PATH, each, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or text:
            raise SystemExit(f"not stored as a whole: status={answer.status} answer={text[:300]!r}")
    spent = process.cpu_seconds() - before
    connection.close()
    return POINTS * REQUESTS / spent


def main() -> None:
    print("| point | samples it becomes | Forebay, points per CPU-second | Prometheus 3.15 | ratio |")
    print("|---|---|---|---|---|")
    for kind, samples in KINDS.items():
        rates = []
        for served in (gateway, prometheus):
            with (
                tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch,
                served(Path(scratch)) as (process, port),
            ):
                now = int(time.time() * 1000)
                measured(process, port, kind, now - 2000 * REQUESTS)  # what only the first requests cost
                rates.append(measured(process, port, kind, now - 1000 * REQUESTS))
        ours, theirs = rates
        print(f"| {kind} | {samples} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
