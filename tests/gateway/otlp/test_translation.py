"""What is not the same as in Prometheus, or what comparing stored series does not show."""

import struct
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from gateway.otlp import target_info
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.translation import Translation
from tests.e2e.samples import STALE_BITS
from tests.gateway.otlp.exports import Exports
from tests.gateway.otlp.stored import Request, exemplars_of, labels_of, samples_of
from tests.gateway.requests import NOW_MS

MS = 1_000_000
DAY = 86_400_000
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def export_of(*metrics: Metric, **resource: str) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    entry = request.resource_metrics.add()
    for key, value in resource.items():
        entry.resource.attributes.add(key=key.replace("_", ".")).value.string_value = value
    entry.scope_metrics.add().metrics.extend(metrics)
    return request


def gauge(name: str = "up", *, at: int = NOW_MS, value: float = 1.0, **attributes: Any) -> Metric:
    metric = Metric(name=name)
    point = metric.gauge.data_points.add(time_unix_nano=at * MS, as_double=value)
    for key, text in attributes.items():
        point.attributes.add(key=key).value.string_value = text
    return metric


def translated(
    export: ExportMetricsServiceRequest, request_bytes: int = 8 << 20, **options: Any
) -> tuple[Translation, list[bytes]]:
    settings = msgspec.convert(options, OtlpSettings)
    translation = Translation(settings, NOW_MS - DAY, NOW_MS + 600_000, request_bytes)
    return translation, list(translation.requests(export))


def names_in(bodies: list[bytes]) -> list[str]:
    return sorted(dict(labels)[b"__name__"].decode() for labels, _ in samples_of(bodies))


@pytest.mark.parametrize("kind", ["sum", "histogram", "exponential_histogram"])
@pytest.mark.parametrize("temporality", [0, DELTA])
def test_what_is_not_cumulative_is_refused_and_the_rest_stored(kind: str, temporality: int) -> None:
    metric = Metric(name="requests")
    data: Any = getattr(metric, kind)
    data.aggregation_temporality = temporality
    for _ in range(3):
        data.data_points.add(time_unix_nano=NOW_MS * MS)
    translation, bodies = translated(export_of(metric, gauge()))
    assert translation.points == 4
    assert translation.refused == {"unsupported_temporality": 3}
    assert "temporality is not cumulative: name='requests'" in translation.messages[0]
    assert names_in(bodies) == ["up"]


def test_deltas_where_they_are_wanted() -> None:
    metrics = [Metric(name=f"m{n}", unit="s") for n in range(3)]
    datas: list[Any] = [metrics[0].sum, metrics[1].histogram, metrics[2].exponential_histogram]
    for data in datas:
        data.aggregation_temporality = DELTA
        data.data_points.add(time_unix_nano=NOW_MS * MS)
    metrics[0].sum.is_monotonic = True
    _, bodies = translated(export_of(*metrics), native_delta_ingestion=True, convert_histograms_to_nhcb=True)
    request = Request.FromString(bodies[0])
    assert names_in(bodies) == ["m0_seconds_total", "m1_seconds", "m2_seconds"]
    assert [series.metadata.type for series in request.timeseries] == [0, 0, 0]
    assert [series.histograms[0].reset_hint for series in request.timeseries[1:]] == [3, 3]


def test_a_bad_point_does_not_take_the_others_along() -> None:
    metric = gauge("load", ___="nameless")
    metric.gauge.data_points.add(time_unix_nano=NOW_MS * MS, as_int=5)
    translation, bodies = translated(export_of(metric, Metric(name="日本"), Metric(name="empty"), gauge()))
    assert translation.refused == {"untranslatable": 1}
    assert [text.split(":")[0] for text in translation.messages] == [
        "attribute name has no translation",
        "metric without data",
        "metric without data",
    ]
    assert names_in(bodies) == ["load", "up"]


def test_a_resource_or_scope_whose_labels_have_no_name_is_refused_as_a_whole() -> None:
    export = export_of(gauge("a"), gauge("b"), ___="x")
    export.resource_metrics[0].resource.attributes[0].key = "__"
    export.resource_metrics.extend(export_of(gauge("c")).resource_metrics)
    export.resource_metrics[1].scope_metrics[0].scope.name = "lib"
    export.resource_metrics[1].scope_metrics[0].scope.attributes.add(key="ok").value.bool_value = True
    translation, bodies = translated(export, promote_all_resource_attributes=True, promote_scope_metadata=True)
    assert translation.refused == {"untranslatable": 2}
    assert translation.points == 3
    (key,) = samples_of(bodies)
    assert dict(key[0]) == {b"__name__": b"c", b"otel_scope_name": b"lib", b"otel_scope_ok": b"true"}


def test_attributes_that_become_one_label_are_joined_in_the_order_of_their_keys() -> None:
    metric = gauge()
    for key, text in {"b.c": "2", "b_c": "3", "b-c": "1", "d": ""}.items():
        metric.gauge.data_points[0].attributes.add(key=key).value.string_value = text
    settings: list[dict[str, Any]] = [{}, {"translation_strategy": "NoTranslation"}]
    for options in settings:
        metric.gauge.data_points[0].attributes.add(key="e").value.string_value = "x"
        metric.gauge.data_points[0].attributes.add(key="e").value.string_value = "y"
        ((found, _),) = samples_of(translated(export_of(metric), **options)[1])
        labels = dict(found)
        assert labels[b"e"].startswith(b"x;y")
        assert options or labels[b"b_c"] == b"1;2;3"
        assert b"d" not in labels


def test_metadata_stands_with_the_first_series_of_a_metric() -> None:
    summary = Metric(name="latency", unit="ms", description="How long.")
    point = summary.summary.data_points.add(time_unix_nano=NOW_MS * MS, start_time_unix_nano=(NOW_MS - 5) * MS)
    point.quantile_values.add(quantile=0.5, value=2)
    _, bodies = translated(export_of(summary))
    request = Request.FromString(bodies[0])
    first, *others = request.timeseries
    assert dict(labels_of(request, first.labels_refs)) == {b"__name__": b"latency_milliseconds_sum"}
    assert (
        first.metadata.type,
        request.symbols[first.metadata.help_ref],
        request.symbols[first.metadata.unit_ref],
    ) == (
        5,
        "How long.",
        "milliseconds",
    )
    assert len(others) == 2
    assert not any(series.HasField("metadata") for series in others)
    assert {series.samples[0].start_timestamp for series in request.timeseries} == {NOW_MS - 5}


def test_no_recorded_value_ends_every_series_of_the_point() -> None:
    metric = Metric(name="h")
    metric.histogram.aggregation_temporality = CUMULATIVE
    metric.histogram.data_points.add(
        time_unix_nano=NOW_MS * MS, flags=1, sum=3, count=2, bucket_counts=[1, 1], explicit_bounds=[1]
    )
    _, bodies = translated(export_of(metric))
    assert names_in(bodies) == ["h_bucket", "h_bucket", "h_count", "h_sum"]
    assert set(map(tuple, samples_of(bodies).values())) == {(STALE_BITS,)}


def test_nan_payloads_and_signed_zeros_are_kept() -> None:
    bits = [0x7FF8_0000_0000_0001, 0xFFF8_0000_0000_0000, 0x8000_0000_0000_0000]
    metrics = [gauge(f"m{n}", value=struct.unpack("<d", struct.pack("<Q", value))[0]) for n, value in enumerate(bits)]
    assert list(samples_of(translated(export_of(*metrics))[1]).values()) == [[value] for value in bits]


def test_an_exemplar_without_value_is_left_out_and_one_without_time_has_its_points() -> None:
    metric = Metric(name="requests")
    metric.sum.aggregation_temporality = CUMULATIVE
    point = metric.sum.data_points.add(time_unix_nano=NOW_MS * MS, as_int=1)
    point.exemplars.add(trace_id=b"\x01" * 16)
    point.exemplars.add(as_int=7, span_id=bytes(8))
    assert {(labels, at, value) for _, labels, at, value in exemplars_of(translated(export_of(metric))[1])} == {
        ((), NOW_MS, 7.0)
    }


def test_a_large_request_becomes_several_that_say_the_same() -> None:
    export = Exports(5, NOW_MS - 60_000, NOW_MS).export(resources=5)
    whole, (one,) = translated(export)
    parts, many = translated(export, request_bytes=2000)
    assert len(many) > 10
    assert max(map(len, many)) < 8000
    assert samples_of(many) == samples_of([one])
    assert exemplars_of(many) == exemplars_of([one])
    assert parts.points == whole.points > 100


def test_an_empty_request_makes_none() -> None:
    translation, bodies = translated(ExportMetricsServiceRequest())
    assert (translation.points, bodies) == (0, [])


def target_times(bodies: list[bytes]) -> list[int]:
    return sorted(at for labels, at in samples_of(bodies) if dict(labels)[b"__name__"] == b"target_info")


def test_target_info_spans_a_resources_points_but_not_those_that_cannot_be_stored() -> None:
    times = (NOW_MS - 400_000, NOW_MS, 0, NOW_MS - 2 * DAY, NOW_MS + DAY, 1 << 43)
    export = export_of(*(gauge(at=at) for at in times), service_name="shop", host_name="h")
    _, bodies = translated(export)
    assert target_times(bodies) == [NOW_MS - 400_000, NOW_MS - 250_000, NOW_MS - 100_000, NOW_MS]


def test_target_info_is_written_once_for_resources_that_are_the_same() -> None:
    export = export_of(gauge(at=NOW_MS - 1000), gauge(), service_name="shop", host_name="h")
    export.resource_metrics.append(export.resource_metrics[0])
    assert target_times(translated(export)[1]) == [NOW_MS - 1000, NOW_MS]


def test_target_info_of_a_hostile_request_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_info, "MAX_BETWEEN", 1000)
    export = ExportMetricsServiceRequest()
    for n in range(10):
        resource = export_of(gauge(at=NOW_MS - DAY), gauge(), service_name="shop", host_name=f"h{n}")
        export.resource_metrics.extend(resource.resource_metrics)
    _, bodies = translated(export)
    assert len(target_times(bodies)) == 1000 + 10
