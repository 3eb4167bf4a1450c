"""Remote-write 2.0 over HTTP: the same answers as 1.0, and how much was written on every one of them."""

from typing import Any

import snappy

from broker.log import LogUnavailable
from forebay.units import Size
from gateway.settings import GatewaySettings
from gateway.written import written_headers
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, good, message
from tests.wire.messages import Exemplar, Histogram, Label, Sample, TimeSeries
from tests.wire.requests_v2 import as_v2, request_v2
from wire.hashing import tenant_seed
from wire.write_request import Router

V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
HEADER = "X-Prometheus-Remote-Write-{}-Written"


async def post(gateway: Gateway, data: bytes, content_type: str = V2, **more: str) -> tuple[int, list[str | None]]:
    """Status and the three counts."""
    headers = {"Content-Type": content_type, "Content-Encoding": "snappy", **more}
    async with gateway.client.post("/api/v1/write", data=data, headers=headers) as answer:
        return answer.status, [
            answer.headers.get(HEADER.format(kind)) for kind in ("Samples", "Histograms", "Exemplars")
        ]


def everything(**labels: str) -> Any:
    """Two samples, one histogram and three exemplars, one of each too old to be stored where that is judged."""
    return TimeSeries(
        labels=[Label(name=name.encode(), value=value.encode()) for name, value in labels.items()],
        samples=[Sample(value=1, timestamp=NOW_MS), Sample(value=2, timestamp=1), Sample(value=3, timestamp=NOW_MS)],
        histograms=[Histogram(count_int=0, timestamp=NOW_MS), Histogram(count_int=0, timestamp=1)],
        exemplars=[Exemplar(value=1, timestamp=NOW_MS)] * 3,
    )


def compressed(data: bytes) -> bytes:
    packed: bytes = snappy.compress(data)
    return packed


async def test_all_written_is_204_with_counts(gateway: Gateway, log: FakeLog) -> None:
    assert await post(gateway, compressed(as_v2(message(({"__name__": "up"}, [(NOW_MS, 1.0)] * 5))))) == (
        204,
        ["5", "0", "0"],
    )
    assert len(log.records) == 1


async def test_the_same_samples_over_both_protocols_lie_in_the_same_place(gateway: Gateway, log: FakeLog) -> None:
    body = snappy.decompress(good(50))
    assert (await post(gateway, compressed(as_v2(body))))[0] == 204
    expected = Router(4).route(body, tenant_seed(b"default-tenant"), NOW_MS - 1000, NOW_MS + 1000)
    assert [(record.partition, record.value) for record in log.records] == expected.records


async def test_a_partial_write_counts_what_is_durable(gateway: Gateway) -> None:
    data = compressed(request_v2(everything(__name__="up"), everything(job="nameless")).SerializeToString())
    assert await post(gateway, data) == (400, ["2", "1", "3"])


def test_what_rules_drop_counts_as_written() -> None:
    nothing = Router(1).route(b"", 0, 0, 0)
    routed = nothing._replace(
        samples=10, histograms=5, exemplars=1, dropped=7, dropped_histograms=3, dropped_exemplars=2
    )
    assert list(written_headers(routed).values()) == ["14", "8", "3"]


async def test_nothing_is_counted_where_nothing_was_taken(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(settings=GatewaySettings(max_compressed_bytes=Size(5000)))
    none = ["0", "0", "0"]
    data = compressed(as_v2(message(({"__name__": "up"}, [(NOW_MS, 1.0)]))))
    assert await post(gateway, compressed(b"\x08")) == (400, none)
    assert await post(gateway, b"garbage") == (400, none)
    assert await post(gateway, good()) == (400, none)
    assert await post(gateway, bytes(5001)) == (413, none)
    assert await post(gateway, data, **{"X-Scope-OrgID": "a/b"}) == (400, none)
    log.error = LogUnavailable("no disk")
    assert await post(gateway, data) == (503, none)
    assert log.records == []


async def test_1_0_and_what_is_not_spoken_have_no_counts(gateway: Gateway) -> None:
    nothing = [None, None, None]
    assert await post(gateway, good(), "application/x-protobuf") == (204, nothing)
    assert await post(gateway, b"garbage", "application/x-protobuf") == (400, nothing)
    assert await post(gateway, good(), "application/x-protobuf;proto=yolo") == (415, nothing)
    assert await post(gateway, b"garbage", V2, **{"Content-Encoding": "zstd"}) == (415, nothing)


async def test_a_message_that_is_not_what_its_headers_say_is_400(gateway: Gateway) -> None:
    data = compressed(as_v2(message(({"__name__": "up"}, [(NOW_MS, 1.0)]))))
    assert await post(gateway, data, "application/x-protobuf") == (400, [None, None, None])


async def test_labels_that_a_few_bytes_repeat_are_bounded_as_a_body_is(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(settings=GatewaySettings(in_flight_bytes=Size(100 << 20)))
    huge = TimeSeries(
        labels=[Label(name=b"__name__", value=b"up"), Label(name=b"z", value=b"x" * 100_000)],
        samples=[Sample(value=1, timestamp=NOW_MS)],
    )
    assert await post(gateway, compressed(request_v2(*[huge] * 300).SerializeToString())) == (204, ["300", "0", "0"])
    assert gateway.in_flight.bytes == 0
    assert await post(gateway, compressed(request_v2(*[huge] * 400).SerializeToString())) == (413, ["0", "0", "0"])
