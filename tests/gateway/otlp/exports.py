"""Generated ExportMetricsServiceRequests: every type of point, odd names, odd values."""

import math
import random
import struct
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = (
    "http.server.duration", "requests", "requests_total", "jvm.memory.used", "a__b", "total.requests", "2xx.responses",
    "gc:pause", "größe.des.heaps", "cpu utilization", "hw.ratio", "ratio_of_things", "x..y", "_private",
    "queue-length_", "bytes.sent.bytes", "per_second", "temperature/celsius", "speed_meters_per_second",
)  # fmt: skip
UNITS = (
    "", "s", "ms", "By", "1", "%", "{requests}", "By/s", "{packets}/s", "m/s", "Cel", "widgets", "KiBy/min", "/s",
    "1/s", "Hz", "foo/bar", "foo bar/b__z", "s/", "_x_", "/", "é", "m/{foo}",
)  # fmt: skip
KEYS = (
    "http.method", "http_method", "http-method", "le", "quantile", "job", "instance", "_under", "__reserved__", "_",
    "1digit", "straße", "a.b", "a_b", "a__b", "__a__b__", "otel_scope_name", "UPPER", "sp ace", "host.name", "..dots",
)  # fmt: skip
ONLY_UNDERSCORES = frozenset("_")
STRINGS = ("GET", "", "é☃", 'quo"te', "back\\slash", "line\nfeed", "<&>", "\u2028", "a;b", "200", "x" * 40, "\x7f\x01")
FLOATS = (
    0.0, -0.0, 1.0, -1.5, 0.1, 1e21, 1e20, 123456789012345680.0, 1e-6, 1e-7, 1.5e-9, 5e-324, 1.7e308, math.inf,
    -math.inf, math.nan,
)  # fmt: skip
INTS = (0, 1, -1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63))
BOUNDS = (-1e9, -2.5, 0.0, 1e-7, 0.005, 0.1, 1.0, 2.5, 1000.0, 1e16, 1e21)
_MS = 1_000_000


class Exports:
    """Makes requests whose points lie within [start, end] ms; no two points make one series at one time."""

    def __init__(self, seed: int, start: int, end: int, *, coarse_scales: bool = True) -> None:
        self.random = random.Random(seed)
        self._prefix = f"{seed}-{start}"
        self._start, self._end = start, end
        self._count = 0
        self._max_scale = 8 if coarse_scales else 20

    def export(self, resources: int = 3, metrics: int = 12) -> ExportMetricsServiceRequest:
        request = ExportMetricsServiceRequest()
        for _ in range(resources):
            resource = request.resource_metrics.add()
            self._resource_attributes(resource.resource.attributes)
            for _ in range(self.random.randint(1, 2)):
                scope = resource.scope_metrics.add()
                if self.random.random() < 0.7:
                    scope.scope.name = self.random.choice(("lib", "io.otel.http"))
                    scope.scope.version = self.random.choice(("", "1.2"))
                    scope.schema_url = self.random.choice(("", "https://schema/1"))
                    self._attributes(scope.scope.attributes, self.random.randint(0, 2))
                for _ in range(metrics):
                    self._metric(scope.metrics.add())
        return request

    def _metric(self, metric: Any) -> None:
        metric.name = self.random.choice(NAMES)
        metric.unit = self.random.choice(UNITS)
        metric.description = "what it counts"
        makers: Sequence[Callable[[Any], None]] = (
            self._gauge,
            self._sum,
            self._histogram,
            self._exponential,
            self._summary,
        )
        self.random.choice(makers)(metric)

    def _gauge(self, metric: Any) -> None:
        for _ in range(self.random.randint(1, 3)):
            self._number(metric.gauge.data_points.add())

    def _sum(self, metric: Any) -> None:
        metric.sum.aggregation_temporality = 2
        metric.sum.is_monotonic = self.random.random() < 0.7
        for _ in range(self.random.randint(1, 3)):
            point = metric.sum.data_points.add()
            self._number(point)
            self._exemplars(point, self.random.randint(0, 2))

    def _number(self, point: Any) -> None:
        self._common(point)
        match self.random.randint(0, 5):
            case 0 | 1:
                point.as_int = self.random.choice((*INTS, self.random.getrandbits(40)))
            case 2:
                point.as_double = self.random.choice(FLOATS)
            case 3 | 4:
                point.as_double = self.random.uniform(-1e6, 1e6)
            case _:
                pass  # no value is 0

    def _histogram(self, metric: Any) -> None:
        metric.histogram.aggregation_temporality = 2
        for _ in range(self.random.randint(1, 2)):
            point = metric.histogram.data_points.add()
            self._common(point)
            bounds = sorted(self.random.sample(BOUNDS, self.random.randint(0, 6)))
            point.explicit_bounds.extend(bounds)
            counts = [self.random.choice((0, 0, 1, 7, 300)) for _ in range(len(bounds) + 1)]
            point.bucket_counts.extend(counts)
            point.count = sum(counts)
            if self.random.random() < 0.8:
                point.sum = self.random.uniform(0, 100)
            if point.flags:
                del point.bucket_counts[:]
                del point.explicit_bounds[:]
                point.count = 0
            self._exemplars(point, self.random.randint(0, 3))

    def _exponential(self, metric: Any) -> None:
        metric.exponential_histogram.aggregation_temporality = 2
        for _ in range(self.random.randint(1, 2)):
            point = metric.exponential_histogram.data_points.add()
            self._common(point)
            if point.flags:
                continue
            point.scale = self.random.randint(-4, self._max_scale)
            point.zero_count = self.random.choice((0, 0, 3))
            point.zero_threshold = self.random.choice((0.0, 0.5))
            total = point.zero_count
            for side in (point.positive, point.negative):
                if self.random.random() < 0.6:
                    side.offset = self.random.randint(-30, 30)
                    # Where buckets are merged, Prometheus loses its way at empty ones (test_exponential.py).
                    choices = (1, 2, 9) if point.scale > 8 else (0, 0, 0, 1, 2, 9)
                    counts = [self.random.choice(choices) for _ in range(self.random.randint(1, 20))]
                    side.bucket_counts.extend(counts)
                    total += sum(counts)
            point.count = total
            if self.random.random() < 0.9:
                point.sum = self.random.uniform(-10, 100)
            self._exemplars(point, self.random.randint(0, 2))

    def _summary(self, metric: Any) -> None:
        for _ in range(self.random.randint(1, 2)):
            point = metric.summary.data_points.add()
            self._common(point)
            point.count = self.random.randint(0, 1000)
            point.sum = self.random.uniform(0, 1e4)
            for quantile in self.random.sample((0.0, 0.5, 0.9, 0.99, 0.999, 1.0, 1e-7), self.random.randint(0, 3)):
                point.quantile_values.add(quantile=quantile, value=self.random.uniform(0, 10))

    def _common(self, point: Any) -> None:
        self._count += 1
        point.time_unix_nano = self.random.randint(self._start * _MS, self._end * _MS)
        if self.random.random() < 0.5:
            point.start_time_unix_nano = (self._start - 60_000) * _MS
        if self.random.random() < 0.1:
            point.flags = 1
        self._attributes(point.attributes, self.random.randint(0, 5))
        point.attributes.add(key="uniq.id").value.string_value = f"{self._prefix}-{self._count}"

    def _exemplars(self, point: Any, count: int) -> None:
        for _ in range(count):
            exemplar = point.exemplars.add(time_unix_nano=point.time_unix_nano)
            if self.random.random() < 0.5:
                exemplar.as_int = self.random.randint(0, 100)
            else:
                exemplar.as_double = self.random.uniform(0, 100)
            if self.random.random() < 0.8:
                exemplar.trace_id = struct.pack("<QQ", self.random.getrandbits(64), self._count)
                exemplar.span_id = struct.pack("<Q", self.random.getrandbits(64))
            self._attributes(exemplar.filtered_attributes, self.random.randint(0, 2))

    def _resource_attributes(self, attributes: Any) -> None:
        self._count += 1
        if self.random.random() < 0.9:
            attributes.add(key="service.name").value.string_value = self.random.choice(("shop", "cart"))
        if self.random.random() < 0.5:
            attributes.add(key="service.namespace").value.string_value = self.random.choice(("", "prod"))
        if self.random.random() < 0.7:
            attributes.add(key="service.instance.id").value.string_value = f"i-{self._prefix}-{self._count}"
        if self.random.random() < 0.9:
            self._attributes(attributes, self.random.randint(0, 4))
            attributes.add(key="uniq.resource").value.string_value = f"{self._prefix}-{self._count}"

    def _attributes(self, attributes: Any, count: int) -> None:
        for key in self.random.sample(KEYS, count):
            if not ONLY_UNDERSCORES.issuperset(key):
                attributes.append(KeyValue(key=key, value=self.value()))

    def value(self, depth: int = 0) -> AnyValue:
        """Of any type; arrays and maps nest a little."""
        kind = self.random.randint(0, 14 if depth < 2 else 11)
        if kind < 6:
            return AnyValue(string_value=self.random.choice(STRINGS))
        if kind < 8:
            return AnyValue(int_value=self.random.choice(INTS))
        if kind == 8:
            return AnyValue(double_value=self.random.choice(FLOATS))
        if kind == 9:
            return AnyValue(bool_value=self.random.random() < 0.5)
        if kind == 10:
            return AnyValue(bytes_value=self.random.randbytes(self.random.randint(0, 5)))
        value = AnyValue()
        if kind == 12:
            value.array_value.SetInParent()
            value.array_value.values.extend(self.value(depth + 1) for _ in range(self.random.randint(0, 3)))
        elif kind > 12:
            value.kvlist_value.SetInParent()
            for key in self.random.sample(KEYS, self.random.randint(0, 3)):
                value.kvlist_value.values.append(KeyValue(key=key, value=self.value(depth + 1)))
        return value
