"""One OTLP metric on its way into series: each type of data point has a method."""

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

from gateway.otlp.exemplars import translated
from gateway.otlp.histograms import NativeHistogram, custom_buckets, exponential
from gateway.otlp.labels import Labeller
from gateway.otlp.request_writer import GAUGE_HINT, STALE, Metadata, RequestWriter, Times, double
from gateway.otlp.target_info import Span
from gateway.otlp.values import bound_text

_MS = 1_000_000
_NO_RECORDED_VALUE = 1


class Family:
    """Writes the points of one metric. Methods raise Untranslatable, and have written nothing of the point then."""

    def __init__(
        self,
        name: str,
        metadata: Metadata,
        *,
        writer: RequestWriter,
        labeller: Labeller,
        span: Span,
        is_delta: bool,
    ) -> None:
        self._name = name
        self._metadata: Metadata | None = metadata
        self._writer = writer
        self._labeller = labeller
        self._span = span
        self._hint = GAUGE_HINT if is_delta else 0

    def gauge(self, point: NumberDataPoint) -> None:
        labels = self._labeller.series(point.attributes)
        labels["__name__"] = self._name
        self._writer.sample(self._writer.references(labels), self._times(point), _number(point), (), self._first())

    def sum(self, point: NumberDataPoint) -> None:
        labels = self._labeller.series(point.attributes)
        labels["__name__"] = self._name
        times = self._times(point)
        exemplars = translated(point.exemplars, times.at) if point.exemplars else ()
        self._writer.sample(self._writer.references(labels), times, _number(point), exemplars, self._first())

    def histogram(self, point: HistogramDataPoint) -> None:
        """As classic series: _sum where there is one, _count, and a cumulative _bucket for each bound and +Inf."""
        labels = self._labeller.series(point.attributes)
        times = self._times(point)
        is_stale = point.flags & _NO_RECORDED_VALUE
        add, pair = self._writer.sample, self._writer.pair
        count = STALE if is_stale else double(point.count)
        self._add_count_and_sum(labels, times, count, point.sum if point.HasField("sum") else None)
        labels.pop("le", None)
        labels["__name__"] = f"{self._name}_bucket"
        bucket = self._writer.references(labels, len(point.explicit_bounds) + 1)
        exemplars = translated(point.exemplars, times.at) if point.exemplars else []
        cumulative = 0
        for bound, inside in zip(list(point.explicit_bounds), list(point.bucket_counts), strict=False):
            cumulative += inside
            up_to = 0
            while up_to < len(exemplars) and not exemplars[up_to].value > bound:
                up_to += 1
            value = STALE if is_stale else double(cumulative)
            add(bucket + pair("le", bound_text(bound)), times, value, exemplars[:up_to])
            exemplars = exemplars[up_to:]
        add(bucket + pair("le", "+Inf"), times, count, exemplars)

    def custom_buckets(self, point: HistogramDataPoint) -> None:
        """As one native histogram with custom buckets."""
        self._native(point, None if point.flags & _NO_RECORDED_VALUE else custom_buckets(point))

    def exponential(self, point: ExponentialHistogramDataPoint) -> None:
        """As one native histogram."""
        self._native(point, None if point.flags & _NO_RECORDED_VALUE else exponential(point))

    def summary(self, point: SummaryDataPoint) -> None:
        """As classic series: _sum, _count, and one for each quantile."""
        labels = self._labeller.series(point.attributes)
        times = self._times(point)
        is_stale = point.flags & _NO_RECORDED_VALUE
        self._add_count_and_sum(labels, times, STALE if is_stale else double(point.count), point.sum)
        labels.pop("quantile", None)
        labels["__name__"] = self._name
        quantile = self._writer.references(labels, len(point.quantile_values))
        for each in point.quantile_values:
            value = STALE if is_stale else double(each.value)
            self._writer.sample(quantile + self._writer.pair("quantile", bound_text(each.quantile)), times, value)

    def _add_count_and_sum(self, labels: dict[str, str], times: Times, count: bytes, total: float | None) -> None:
        add, references = self._writer.sample, self._writer.references
        if total is not None:
            labels["__name__"] = f"{self._name}_sum"
            add(references(labels), times, STALE if count is STALE else double(total), (), self._first())
        labels["__name__"] = f"{self._name}_count"
        add(references(labels), times, count, (), self._first())

    def _native(
        self, point: HistogramDataPoint | ExponentialHistogramDataPoint, histogram: NativeHistogram | None
    ) -> None:
        labels = self._labeller.series(point.attributes)
        labels["__name__"] = self._name
        times = self._times(point)
        exemplars = translated(point.exemplars, times.at) if point.exemplars else ()
        references = self._writer.references(labels)
        self._writer.histogram(
            references, times, histogram, hint=self._hint, exemplars=exemplars, metadata=self._first()
        )

    def _first(self) -> Metadata | None:
        """The metadata, once: the first series of the metric carries it for all."""
        metadata, self._metadata = self._metadata, None
        return metadata

    def _times(
        self, point: NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint
    ) -> Times:
        nanoseconds = point.time_unix_nano
        self._span.see(nanoseconds)
        return Times(point.start_time_unix_nano // _MS, nanoseconds // _MS)


def _number(point: NumberDataPoint) -> bytes:
    if point.flags & _NO_RECORDED_VALUE:
        return STALE
    return double(point.as_int if point.HasField("as_int") else point.as_double)
