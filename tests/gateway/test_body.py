"""Bodies that want more than their share of memory or time."""

import asyncio
import zlib
from collections.abc import AsyncIterator

import psutil
import snappy

from forebay.units import Duration, Size
from gateway.settings import GatewaySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.requests import NOW_MS, body, good

SMALL = GatewaySettings(max_compressed_bytes=Size(10_000), max_body_bytes=Size(20_000), in_flight_bytes=Size(60_000))


async def test_a_declared_length_over_the_cap_is_413_unread(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(SMALL)
    status, text = await gateway.write(bytes(10_001))
    assert status == 413
    assert "limit=10000" in text
    assert gateway.count("forebay_gateway_received_bytes_total") == 0


async def test_an_endless_chunked_body_is_cut_at_the_cap(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(SMALL)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield bytes(1000)

    try:
        status, _ = await gateway.write(endless())
        assert status == 413
    except OSError:
        pass  # the server may close before the client has read the answer: it is still sending
    assert gateway.count("forebay_gateway_requests_total", code="413") == 1
    assert gateway.in_flight.bytes == 0
    assert sent < 50_000_000


async def test_a_slow_body_is_503_in_time(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(GatewaySettings(body_timeout=Duration(100)))

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(20)
        yield b"b"

    status, text = await gateway.write(slow())
    assert status == 503
    assert "did not arrive in time" in text
    assert gateway.in_flight.bytes == 0


async def test_a_gzip_bomb_is_not_inflated(gateway: Gateway) -> None:
    bomb = zlib.compress(bytes(200 << 20))
    before = psutil.Process().memory_info().rss
    for encoding in ("gzip", "deflate"):
        status, _ = await gateway.write(bomb, Content_Encoding=encoding)
        assert status == 415
    assert psutil.Process().memory_info().rss - before < 20 << 20


async def test_a_full_budget_is_503_and_empties_again(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(SMALL)
    reservation = gateway.in_flight.open()
    reservation.take(59_000)
    async with gateway.client.post(
        "/api/v1/write", data=good(100), headers={"Content-Type": "application/x-protobuf"}
    ) as answer:
        assert answer.status == 503
        assert "in flight" in await answer.text()
        assert answer.headers["Retry-After"]
    assert gateway.in_flight.bytes == 59_000
    reservation.__exit__(None, None, None)
    assert (await gateway.write(good(100)))[0] == 204


async def test_hostile_bodies_take_bounded_memory(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway()
    label_of_10_mib = body(({"__name__": "up", "big": "x" * (10 << 20)}, [(NOW_MS, 1.0)]))
    million_of_one_byte = snappy.compress(b"\x0a\x00" * 1_000_000 + b"\x0a\x01\x0a" * 10)
    million_empty = snappy.compress(b"\x0a\x00" * 1_000_000)
    tiny = {"__name__": "a"}
    many_series = body(*((tiny, [(NOW_MS, 1.0)]) for _ in range(100_000)))
    many_labels = body(({"__name__": "up"} | {f"l{n}": "v" for n in range(100_000)}, [(NOW_MS, 1.0)]))
    windows = body(({"__name__": "up"}, [(NOW_MS - n * 7_200_000, 1.0) for n in range(100_000)]))
    process = psutil.Process()
    before = process.memory_info().rss
    peak = 0
    for hostile, expected in (
        (label_of_10_mib, 400),
        (million_of_one_byte, 400),
        (million_empty, 400),
        (many_series, 204),
        (many_labels, 400),
        (windows, 400),
    ):
        status, _ = await gateway.write(hostile)
        assert status == expected
        peak = max(peak, process.memory_info().rss)
    assert peak - before < 100 << 20
    assert (await gateway.write(good()))[0] == 204
