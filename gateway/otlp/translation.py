"""From an ExportMetricsServiceRequest to remote-write 2.0 requests, by the rules of Prometheus' own receiver."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, ResourceMetrics, ScopeMetrics

from gateway.otlp.family import Family
from gateway.otlp.labels import Labeller
from gateway.otlp.names import Kind, Namer
from gateway.otlp.request_writer import Metadata, RequestWriter
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.target_info import Span, TargetInfo
from gateway.otlp.units import unit_name
from gateway.otlp.untranslatable import UnsupportedTemporality, Untranslatable

MAX_MESSAGES = 10
_DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_UNKNOWN, _COUNTER, _GAUGE, _HISTOGRAM, _SUMMARY = 0, 1, 2, 3, 5
_TYPES: Final = {
    "gauge": _GAUGE,
    "histogram": _HISTOGRAM,
    "exponential_histogram": _HISTOGRAM,
    "summary": _SUMMARY,
}
_TARGET_INFO = Metadata(_GAUGE, "Target metadata", "")


class Translation:
    """One request's. What has no Prometheus form is left out and counted; the rest goes on."""

    def __init__(self, settings: OtlpSettings, min_time: int, max_time: int, request_bytes: int) -> None:
        """`min_time` and `max_time` (ms) are where samples may lie: target_info is made for no others.

        From `request_bytes` on a request ends and the next begins.
        """
        self._settings = settings
        self._request_bytes = request_bytes
        self._labeller = Labeller(settings, Namer(settings))
        self._namer = Namer(settings)
        self._writer = RequestWriter()
        self._target_info = TargetInfo()
        self._span = Span(min_time, max_time)
        self.points = 0
        """Data points that were looked at."""
        self.refused: dict[str, int] = {}
        """Reason to count of data points."""
        self.examples: dict[str, str] = {}
        """By reason, why the first of them was refused."""
        self.messages: list[str] = []
        """Why, the first few."""

    def requests(self, export: ExportMetricsServiceRequest) -> Iterator[bytes]:
        """The requests to be stored, in this order; none where nothing is left. Counts are whole after the last."""
        for resource in export.resource_metrics:
            yield from self._resource(resource)
        if self._writer:
            yield self._writer.take()

    def _resource(self, metrics: ResourceMetrics) -> Iterator[bytes]:
        self._span.clear()
        try:
            self._labeller.enter_resource(metrics.resource)
        except Untranslatable as error:
            for scope in metrics.scope_metrics:
                self._refuse_scope(scope, error)
            return
        for scope in metrics.scope_metrics:
            try:
                self._labeller.enter_scope(scope.scope, scope.schema_url)
            except Untranslatable as error:
                self._refuse_scope(scope, error)
                continue
            for metric in scope.metrics:
                yield from self._metric(metric)
        if self._span.last >= 0:
            self._add_target_info(metrics)

    def _metric(self, metric: Metric) -> Iterator[bytes]:
        kind = metric.WhichOneof("data")
        points = _points(metric)
        self.points += len(points)
        try:
            add = self._family(metric, kind)
        except Untranslatable as error:
            self._refuse(len(points), error)
            return
        writer, full = self._writer, self._request_bytes
        for point in points:
            try:
                add(point)
            except Untranslatable as error:
                self._refuse(1, error)
            if writer.size >= full:
                yield writer.take()

    def _family(self, metric: Metric, kind: str | None) -> Callable[[Any], None]:
        """The method that takes the metric's points."""
        if kind is None:
            raise Untranslatable(f"metric without data: name={metric.name[:200]!r}")
        data = getattr(metric, kind)
        is_delta = False
        if kind not in {"gauge", "summary"}:
            is_delta = data.aggregation_temporality == _DELTA
            allowed = {_CUMULATIVE, _DELTA} if self._settings.native_delta_ingestion else {_CUMULATIVE}
            if data.aggregation_temporality not in allowed:
                raise UnsupportedTemporality(
                    f"temporality is not cumulative: name={metric.name[:200]!r}",
                    hint="send cumulative data, such as by a deltatocumulative processor",
                )
        suffix: Kind = "gauge" if kind == "gauge" else "other"
        family_type = _TYPES.get(kind, _GAUGE)
        if kind == "sum" and data.is_monotonic:
            suffix, family_type = "counter", _COUNTER
        family = Family(
            self._namer.metric(metric.name, metric.unit, suffix),
            Metadata(_UNKNOWN if is_delta else family_type, metric.description, unit_name(metric.unit)),
            writer=self._writer,
            labeller=self._labeller,
            span=self._span,
            is_delta=is_delta,
        )
        if kind == "histogram" and self._settings.convert_histograms_to_nhcb:
            return family.custom_buckets
        by_kind: dict[str, Callable[[Any], None]] = {
            "gauge": family.gauge,
            "sum": family.sum,
            "histogram": family.histogram,
            "exponential_histogram": family.exponential,
            "summary": family.summary,
        }
        return by_kind[kind]

    def _add_target_info(self, metrics: ResourceMetrics) -> None:
        try:
            labels = self._labeller.target_info(metrics.resource)
        except Untranslatable as error:
            self._refuse(0, error)
            return
        if labels:
            labels["__name__"] = "target_info"
            times = self._target_info.times(labels, self._span)
            if times:
                self._writer.samples(self._writer.references(labels), times, 1.0, _TARGET_INFO)

    def _refuse_scope(self, scope: ScopeMetrics, error: Untranslatable) -> None:
        count = sum(len(_points(metric)) for metric in scope.metrics)
        self.points += count
        self._refuse(count, error)

    def _refuse(self, count: int, error: Untranslatable) -> None:
        if count:
            self.refused[error.reason] = self.refused.get(error.reason, 0) + count
            self.examples.setdefault(error.reason, str(error))
        if len(self.messages) < MAX_MESSAGES and (text := str(error)) not in self.messages:
            self.messages.append(text)


def _points(metric: Metric) -> Sequence[Any]:
    kind = metric.WhichOneof("data")
    points: Sequence[Any] = getattr(metric, kind).data_points if kind else ()
    return points
