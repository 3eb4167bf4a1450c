"""A tenant that sends more than it may: 429, nothing stored, and nobody else notices."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from prometheus_client import CollectorRegistry

from broker.log import LogUnavailable
from forebay.clock import ManualClock
from forebay.units import Duration, Size
from gateway.gate import Gate
from gateway.limits import LimitSettings
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import good
from tests.gateway.simulated_loop import SimulatedLoop, simulate

TEN = LimitSettings(samples_per_second=10, samples_burst=100)


async def post(gateway: Gateway, body: bytes, tenant: str = "a", **headers: str) -> ClientResponse:
    given = {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": tenant, **headers}
    async with gateway.client.post("/api/v1/write", data=body, headers=given) as answer:
        await answer.read()
        return answer


async def test_over_the_rate_is_429_with_the_time_to_wait_and_nothing_is_stored(
    make_gateway: MakeGateway, log: FakeLog, clock: ManualClock
) -> None:
    gateway = await make_gateway(limits=TEN)
    assert (await post(gateway, good(145))).status == 204  # more than the burst
    stored = len(log.records)
    answer = await post(gateway, good(1))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")  # 45 in debt, and one token
    assert "samples_per_second=10" in await answer.text()
    clock.advance(4.5)
    assert (await post(gateway, good(1))).status == 429
    clock.advance(0.2)
    assert (await post(gateway, good(1))).status == 204
    assert len(log.records) == stored + 1
    assert gateway.count("forebay_gateway_requests_total", code="429") == 2


async def test_other_tenants_have_buckets_of_their_own(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(limits=TEN)
    assert (await post(gateway, good(200))).status == 204
    assert (await post(gateway, good(1))).status == 429
    assert (await post(gateway, good(1), "b")).status == 204


async def test_a_request_without_hope_is_refused_before_its_body_is_read(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(limits=TEN)
    await post(gateway, good(200))
    received = gateway.count("forebay_gateway_received_bytes_total")
    assert (await post(gateway, b"not even snappy")).status == 429
    assert gateway.count("forebay_gateway_received_bytes_total") == received


async def test_of_requests_at_the_same_time_one_empties_the_bucket(make_gateway: MakeGateway, log: FakeLog) -> None:
    log.gate = asyncio.Event()
    gateway = await make_gateway(limits=TEN)
    first = asyncio.create_task(post(gateway, good(150)))
    await log.reached.wait()
    assert (await post(gateway, good(150))).status == 429
    log.gate.set()
    assert (await first).status == 204


async def test_what_the_log_did_not_take_is_not_charged(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=TEN)
    log.error = LogUnavailable("no broker")
    for _ in range(3):
        assert (await post(gateway, good(100))).status == 503
    log.error = None
    assert (await post(gateway, good(100))).status == 204
    assert (await post(gateway, good(1))).status == 429


async def test_in_shadow_all_is_stored_and_what_would_be_refused_is_counted(
    make_gateway: MakeGateway, clock: ManualClock
) -> None:
    gateway = await make_gateway(limits=LimitSettings(samples_per_second=10, shadow=("samples_per_second",)))
    for samples in (100, 30, 40):
        assert (await post(gateway, good(samples))).status == 204
    name = "forebay_gateway_shadow_rejected_samples_total"
    assert gateway.count(name, reason="rate_limited") == 70
    clock.advance(1)
    assert (await post(gateway, good(10))).status == 204
    assert gateway.count(name, reason="rate_limited") == 70
    assert gateway.count("forebay_gateway_rejected_samples_total", reason="rate_limited") == 0


async def chunked(body: bytes) -> AsyncIterator[bytes]:
    yield body


def whole(body: bytes) -> bytes:
    return body


@pytest.mark.parametrize("sent", [whole, chunked])
async def test_a_body_over_the_tenants_own_size_is_413(make_gateway: MakeGateway, sent: Callable[..., Any]) -> None:
    gateway = await make_gateway(limits=LimitSettings(max_request_bytes=Size(500)))
    assert await gateway.write(sent(good(3))) == (204, "")
    status, text = await gateway.write(sent(good(1000)))
    assert status == 413
    assert "limits.max_request_bytes" in text


async def test_in_shadow_a_large_body_is_stored_and_counted_once(make_gateway: MakeGateway) -> None:
    limits = LimitSettings(max_request_bytes=Size(500), shadow=("max_request_bytes",))
    gateway = await make_gateway(limits=limits)
    assert await gateway.write(good(1000)) == (204, "")


async def test_series_stay_in_the_tenants_shard(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=LimitSettings(shard_size=2))
    for tenant in ("a", "b", "c"):
        await post(gateway, good(200), tenant)
    shards = {tenant: {r.partition for r in log.records if r.key == tenant.encode()} for tenant in ("a", "b", "c")}
    assert all(len(shard) == 2 for shard in shards.values())
    assert len(set(map(frozenset, shards.values()))) > 1


async def test_those_who_have_not_paid_yet_count_before_one_who_comes(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(limits=LimitSettings(samples_per_second=10, samples_burst=250))
    assert (await post(gateway, good(100))).status == 204
    rest, half = asyncio.Event(), good(100)

    async def slowly() -> AsyncIterator[bytes]:
        yield half[:100]
        await rest.wait()
        yield half[100:]

    first = asyncio.create_task(gateway.write(slowly(), X_Scope_OrgID="a"))
    for _ in range(500):
        if gateway.in_flight.bytes:
            break
        await asyncio.sleep(0.01)
    assert (await post(gateway, good(100))).status == 204  # of 150 tokens the first is to pay 100: there is one left
    assert (await post(gateway, good(100))).status == 429
    rest.set()
    assert (await first)[0] == 204
    assert (await post(gateway, good(1))).status == 429


async def test_those_who_have_paid_do_not_count_twice(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=LimitSettings(samples_per_second=10, samples_burst=1000))
    assert (await post(gateway, good(100))).status == 204
    log.gate = asyncio.Event()
    within = [asyncio.create_task(post(gateway, good(100))) for _ in range(8)]
    for _ in range(8):  # one after the other, each while all before it wait for the log
        await asyncio.sleep(0.05)
    last = asyncio.create_task(post(gateway, good(100)))
    await asyncio.sleep(0.05)
    log.gate.set()
    assert [answer.status for answer in await asyncio.gather(*within, last)] == [204] * 9


async def test_who_is_beyond_its_rate_waits_for_its_answer(make_gateway: MakeGateway, log: FakeLog) -> None:
    settings = GatewaySettings(limited_wait=Duration.parse("200ms"))
    gateway = await make_gateway(settings, limits=TEN)
    assert (await post(gateway, good(200))).status == 204
    began = time.monotonic()
    answers = await asyncio.gather(*(post(gateway, good(1)) for _ in range(10)))
    assert {answer.status for answer in answers} == {429}
    assert time.monotonic() - began >= 0.2
    assert gateway.in_flight.bytes == 0


def gate_holding(log: FakeLog, limited_wait: str) -> Gate:
    metrics = GatewayMetrics(
        CollectorRegistry(),
        log_id="log",
        reasons=(),
        in_flight_bytes=lambda: 0,
        in_flight_requests=lambda: 0,
        backlog_bytes=lambda: 0,
        partitions=lambda: 4,
    )
    return Gate(GatewaySettings(limited_wait=Duration.parse(limited_wait)), log, metrics)


async def test_only_so_many_are_made_to_wait(log: FakeLog) -> None:
    gate = gate_holding(log, "20ms")
    held = [asyncio.create_task(gate.hold("a")) for _ in range(600)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(task.done() for task in held) == 600 - 512
    await asyncio.gather(*held)


def test_who_asks_over_many_connections_at_a_time_waits_the_longer() -> None:
    loop = SimulatedLoop()

    async def hold_many() -> tuple[list[float], float, float]:
        gate = gate_holding(FakeLog(), "250ms")

        async def held(tenant: str) -> float:
            began = loop.time()
            await gate.hold(tenant)
            return loop.time() - began

        crowd = [asyncio.create_task(held("many")) for _ in range(300)]
        await asyncio.sleep(0.1)
        other = await held("few")
        return await asyncio.gather(*crowd), other, await held("many")

    crowd, other, afterwards = simulate(hold_many(), loop)
    assert crowd == sorted(crowd)
    times = Counter(round(each / 0.25) for each in crowd)
    assert times == {1: 16, 2: 16, 3: 16, 4: 16, 5: 16, 6: 16, 7: 16, 8: 300 - 7 * 16}
    assert other == pytest.approx(0.25)
    assert afterwards == pytest.approx(0.25)
