"""Every answer of the OTLP path, and what is durable when it is given."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from broker.log import LogCorrupt, LogFull, LogUnavailable
from forebay.units import Duration, Size
from gateway.limits import LimitSettings
from gateway.otlp import handler
from gateway.otlp.export import Export
from gateway.otlp.settings import OtlpSettings
from gateway.settings import GatewaySettings, TenancySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.otlp.exports import Exports
from tests.gateway.otlp.stored import samples_of
from tests.gateway.otlp.test_translation import export_of, gauge, translated
from tests.gateway.requests import NOW_MS
from tests.wire.labels_oracle import varint
from tests.wire.messages import WriteRequest
from wire.write_request import Routed

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes
    headers: dict[str, str]

    @property
    def response(self) -> ExportMetricsServiceResponse:
        return ExportMetricsServiceResponse.FromString(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """A google.rpc.Status: its code and message."""
        if self.kind == JSON:
            status = json.loads(self.body)
            return status["code"], status["message"]
        code, rest = self.body[1], self.body[3:]
        message = rest[1 if rest[0] < 128 else 2 :]
        assert self.body == b"\x08" + varint(code) + b"\x12" + varint(len(message)) + message
        return code, message.decode()


async def post(gateway: Gateway, body: bytes | AsyncIterator[bytes], kind: str = PROTOBUF, **headers: str) -> Answer:
    given = {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.client.post(
        handler.PATH, data=body, headers={k: v for k, v in given.items() if v}, skip_auto_headers=["Content-Type"]
    ) as answer:
        return Answer(answer.status, answer.content_type, await answer.read(), dict(answer.headers))


def stored(log: FakeLog) -> Any:
    request = WriteRequest()
    for record in log.records:
        request.MergeFromString(record.value)
    return request.timeseries


def names(log: FakeLog) -> list[str]:
    return sorted(
        label.value.decode() for series in stored(log) for label in series.labels if label.name == b"__name__"
    )


def points(count: int, **attributes: Any) -> ExportMetricsServiceRequest:
    return export_of(*(gauge(n=str(number), **attributes) for number in range(count)))


def padded(size: int) -> bytes:
    return points(1, pad="x" * size).SerializeToString()


async def test_all_stored_is_200_with_nothing_refused(gateway: Gateway, log: FakeLog) -> None:
    answer = await post(gateway, points(20).SerializeToString())
    assert (answer.status, answer.kind, answer.body) == (200, PROTOBUF, b"")
    assert names(log) == ["up"] * 20
    assert gateway.count("forebay_gateway_samples_total", type="float") == 20
    assert gateway.count("forebay_gateway_requests_total", code="200") == 1


async def test_every_type_of_point_is_stored(gateway: Gateway, log: FakeLog) -> None:
    export = Exports(1, NOW_MS - 60_000, NOW_MS).export(resources=10)
    answer = await post(gateway, export.SerializeToString())
    assert (answer.status, answer.response) == (200, ExportMetricsServiceResponse())
    _, bodies = translated(export)
    expected = samples_of(bodies)
    assert sum(len(series.samples) + len(series.histograms) for series in stored(log)) == len(expected) > 500


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", " GZIP "])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON, "application/json; charset=utf-8"])
async def test_forms_and_encodings(gateway: Gateway, log: FakeLog, kind: str, encoding: str) -> None:
    export = points(3)
    body = export.SerializeToString() if kind == PROTOBUF else json.dumps(MessageToDict(export)).encode()
    body = gzip.compress(body) if "gz" in encoding.lower() else body
    answer = await post(gateway, body, kind, Content_Encoding=encoding)
    assert (answer.status, answer.kind, answer.body) == (
        200,
        kind.partition(";")[0],
        b"" if kind == PROTOBUF else b"{}",
    )
    assert len(names(log)) == 3


async def test_an_empty_request_is_200(gateway: Gateway, log: FakeLog) -> None:
    for body in (b"", ExportMetricsServiceRequest().SerializeToString()):
        assert (await post(gateway, body)).status == 200
    assert log.records == []


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_part_refused_is_200_with_its_count_and_the_rest_stored(
    gateway: Gateway, log: FakeLog, kind: str
) -> None:
    delta = Metric(name="delta")
    delta.sum.aggregation_temporality = 1  # type: ignore[assignment]
    for _ in range(2):
        delta.sum.data_points.add(time_unix_nano=NOW_MS * 1_000_000)
    export = export_of(gauge(), delta, gauge("old", at=0), gauge("new", at=NOW_MS + 10**9))
    if kind == JSON:
        answer = await post(gateway, json.dumps(MessageToDict(export)).encode(), JSON)
        partial = json.loads(answer.body)["partialSuccess"]
        refused, message = int(partial["rejectedDataPoints"]), partial["errorMessage"]
    else:
        answer = await post(gateway, export.SerializeToString())
        refused = answer.response.partial_success.rejected_data_points
        message = answer.response.partial_success.error_message
    assert (answer.status, refused) == (200, 4)
    assert message.startswith("temporality is not cumulative: name='delta'")
    assert 'out_of_bounds_past series={__name__="old"}' in message
    assert names(log) == ["up"]
    for reason in ("unsupported_temporality", "out_of_bounds_past", "out_of_bounds_future"):
        count = gateway.count("forebay_gateway_rejected_samples_total", reason=reason)
        assert count == (2 if reason == "unsupported_temporality" else 1)


async def test_all_refused_is_200_too(gateway: Gateway, log: FakeLog) -> None:
    answer = await post(gateway, export_of(Metric(name="nothing"), gauge("日本")).SerializeToString())
    assert answer.response.partial_success.rejected_data_points == 1
    assert log.records == []
    assert gateway.count("forebay_gateway_rejected_samples_total", reason="untranslatable") == 1


async def test_a_point_of_many_series_is_not_more_than_one_refused_point(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(limits=LimitSettings(max_label_pairs=2))
    metric = Metric(name="h")
    metric.histogram.aggregation_temporality = 2  # type: ignore[assignment]
    point = metric.histogram.data_points.add(
        time_unix_nano=NOW_MS * 1_000_000, bucket_counts=[1, 1], explicit_bounds=[1]
    )
    point.attributes.add(key="a").value.string_value = "x"
    answer = await post(gateway, export_of(metric).SerializeToString())
    assert answer.response.partial_success.rejected_data_points == 1
    assert "too_many_labels=2" in answer.response.partial_success.error_message


async def test_settings_of_the_translation_are_used(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(otlp=OtlpSettings(translation_strategy="NoTranslation"))
    await post(gateway, export_of(gauge("a.b")).SerializeToString())
    assert names(log) == ["a.b"]


async def test_the_tenant_is_that_of_the_headers(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(tenancy=TenancySettings(default_tenant=""))
    answer = await post(gateway, points(1).SerializeToString())
    assert (answer.status, answer.error) == (400, (3, "no tenant named (hint: send the header X-Scope-OrgID)"))
    assert (await post(gateway, points(1).SerializeToString(), X_Scope_OrgID="team-a")).status == 200
    assert {record.key for record in log.records} == {b"team-a"}


@pytest.mark.parametrize(
    ("kind", "headers", "expected"),
    [
        ("", {}, "unsupported media type"),
        ("text/plain", {}, "send application/x-protobuf or application/json"),
        ("application/grpc", {}, "unsupported media type"),
        ("nonsense", {}, "not a media type"),
        (PROTOBUF, {"Content_Encoding": "snappy"}, "send gzip, or no encoding"),
        (PROTOBUF, {"Content_Encoding": "gzip, gzip"}, "unsupported encoding"),
    ],
)
async def test_other_protocols_are_415(gateway: Gateway, kind: str, headers: dict[str, str], expected: str) -> None:
    answer = await post(gateway, b"never read", kind, **headers)
    assert (answer.status, answer.kind, answer.error[0]) == (415, PROTOBUF, 3)
    assert expected in answer.error[1]


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_what_is_no_request_is_400_in_the_form_it_came(gateway: Gateway, kind: str, encoding: str) -> None:
    answer = await post(gateway, b"\xff" * 50, kind, Content_Encoding=encoding)
    assert (answer.status, answer.kind, answer.error[0]) == (400, kind, 3)
    expected = "not gzip" if encoding else "not an Export" if kind == JSON else "malformed or nested too deep"
    assert expected in answer.error[1]


async def test_bodies_over_their_bounds_are_413(make_gateway: MakeGateway, log: FakeLog) -> None:
    settings = GatewaySettings(
        max_compressed_bytes=Size(10_000), max_body_bytes=Size(50_000), in_flight_bytes=Size(1 << 20)
    )
    gateway = await make_gateway(settings)
    fits = gzip.compress(padded(49_000))
    assert (await post(gateway, fits, Content_Encoding="gzip")).status == 200
    for body, encoding, expected in (
        (padded(10_000), "", "bytes=100"),
        (gzip.compress(padded(50_000)), "gzip", "raise gateway.max_body_bytes"),
        (gzip.compress(padded(40_000)) + gzip.compress(padded(40_000)), "gzip", "bytes=50001 limit=50000"),
        (gzip.compress(b"\x0a\x00" * 20_000), "gzip", "too much in one body: decoded_bytes=1440048 limit=938576"),
    ):
        answer = await post(gateway, body, Content_Encoding=encoding)
        assert answer.status == 413
        assert expected in answer.error[1]
    assert gateway.in_flight.bytes == 0
    assert len(names(log)) == 1


async def test_a_trailer_that_lies_gets_no_more_memory_than_the_bound(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway()
    two = gzip.compress(points(50).SerializeToString()) + gzip.compress(b"")
    assert (await post(gateway, two, Content_Encoding="gzip")).status == 200
    bomb = gzip.compress(bytes(64 << 20))
    lying = bomb[:-4] + (1000).to_bytes(4, "little")
    assert (await post(gateway, lying, Content_Encoding="gzip")).status == 413
    assert gateway.in_flight.bytes == 0


async def test_a_tenants_limits_hold(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=LimitSettings(samples_per_second=10, samples_burst=10))
    assert (await post(gateway, points(10).SerializeToString())).status == 200
    answer = await post(gateway, points(10).SerializeToString())
    assert (answer.status, answer.error[0]) == (429, 8)
    assert int(answer.headers["Retry-After"]) > 0
    assert len(names(log)) == 10


@pytest.mark.parametrize("error", [LogFull("full"), LogUnavailable("down")])
async def test_a_log_that_does_not_take_it_is_503(gateway: Gateway, log: FakeLog, error: Exception) -> None:
    log.error = error
    answer = await post(gateway, points(1).SerializeToString())
    assert (answer.status, answer.error[0]) == (503, 14)
    assert int(answer.headers["Retry-After"]) > 0
    assert gateway.in_flight.bytes == 0


async def test_a_log_that_is_broken_stops_the_gateway(gateway: Gateway, log: FakeLog) -> None:
    log.error = LogCorrupt("broken")
    answer = await post(gateway, points(1).SerializeToString())
    assert (answer.status, answer.error) == (503, (14, "this gateway is stopping"))
    assert len(gateway.stopped) == 1


async def test_a_body_that_does_not_arrive_is_503(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(GatewaySettings(body_timeout=Duration(50)))

    async def slow() -> AsyncIterator[bytes]:
        yield b"\x0a"
        await asyncio.sleep(2)

    assert (await post(gateway, slow())).status == 503


async def test_a_large_request_is_stored_in_parts(
    gateway: Gateway, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "REQUEST_BYTES", 2000)
    export = points(500, pad="x" * 100)
    export.resource_metrics.append(export_of(gauge("old", at=0)).resource_metrics[0])
    answer = await post(gateway, export.SerializeToString())
    assert answer.response.partial_success.rejected_data_points == 1
    assert len(names(log)) == 500
    assert gateway.count("forebay_gateway_append_duration_seconds_count") > 10


async def test_a_large_request_that_a_tenants_rate_lets_in_is_stored_as_a_whole(
    make_gateway: MakeGateway, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "REQUEST_BYTES", 2000)
    gateway = await make_gateway(limits=LimitSettings(samples_per_second=10, samples_burst=10))
    assert (await post(gateway, points(500).SerializeToString())).status == 200
    assert gateway.count("forebay_gateway_append_duration_seconds_count") > 5
    assert len(names(log)) == 500
    assert (await post(gateway, points(1).SerializeToString())).status == 429


async def test_labels_that_every_series_repeats_do_not_make_a_request_too_large(
    make_gateway: MakeGateway, log: FakeLog
) -> None:
    gateway = await make_gateway(otlp=OtlpSettings(promote_all_resource_attributes=True))
    export = points(4000)
    export.resource_metrics[0].resource.attributes.add(key="text").value.string_value = "x" * 9000
    answer = await post(gateway, export.SerializeToString())
    assert (answer.status, answer.body) == (200, b"")
    assert sum(len(record.value) for record in log.records) > 32 << 20
    assert len(names(log)) == 4000
    assert gateway.in_flight.bytes == 0


async def test_large_requests_are_worked_on_beside_the_event_loop(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    class Watched(Export):
        def next(self) -> Routed | None:
            threads.append(threading.current_thread().name.partition("_")[0])
            return super().next()

    monkeypatch.setattr(handler, "Export", Watched)
    gateway = await make_gateway()
    assert (await post(gateway, points(5).SerializeToString())).status == 200
    assert (await post(gateway, points(2000).SerializeToString())).status == 200
    assert threads == ["MainThread", "MainThread", "route", "route"]


async def test_other_methods_are_405(gateway: Gateway) -> None:
    async with gateway.client.get(handler.PATH) as answer:
        assert answer.status == 405
