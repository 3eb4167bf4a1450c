"""More than the gateway can do: some are served as ever, the others are told at once to come back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker.log import LogFull
from forebay.units import Duration, Size
from gateway.in_flight import GatewayFull, InFlight
from gateway.settings import GatewaySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import good

TWO = GatewaySettings(max_concurrent=2, burst_wait=Duration(50), standing_wait=Duration(10))


async def fill(gateway: Gateway, log: FakeLog, tenants: str) -> list[asyncio.Task[tuple[int, str]]]:
    """One request of each tenant takes a place, and stays in the log."""
    log.gate = asyncio.Event()
    tasks = []
    for tenant in tenants:
        log.reached.clear()
        tasks.append(asyncio.create_task(gateway.write(good(), X_Scope_OrgID=tenant)))
        await log.reached.wait()
    return tasks


async def test_who_finds_no_place_is_503_and_those_at_work_end_well(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(TWO)
    at_work = await fill(gateway, log, "ab")
    async with gateway.client.post(
        "/api/v1/write", data=good(), headers={"Content-Type": "application/x-protobuf"}
    ) as answer:
        assert answer.status == 503
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        assert "too many requests" in await answer.text()
    assert gateway.count("forebay_gateway_overload_refusals_total", short="turn") == 1
    assert log.gate is not None
    log.gate.set()
    assert await asyncio.gather(*at_work) == [(204, "")] * 2
    assert (await gateway.write(good()))[0] == 204
    assert gateway.count("forebay_gateway_wait_seconds_count") == 3
    assert gateway.count("forebay_gateway_waiting_requests") == 0
    assert gateway.in_flight.bytes == 0


async def test_under_overload_a_body_is_not_read(make_gateway: MakeGateway, log: FakeLog) -> None:
    """The body never ends: an answer means that nobody waited for it."""
    gateway = await make_gateway(
        GatewaySettings(max_concurrent=2, burst_wait=Duration(500), standing_wait=Duration(10))
    )
    at_work = await fill(gateway, log, "ab")
    assert (await gateway.write(good()))[0] == 503
    waiting = asyncio.create_task(gateway.write(good()))
    while not gateway.count("forebay_gateway_waiting_requests"):  # noqa: ASYNC110 - a gauge tells nobody
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)

    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(60)

    async with asyncio.timeout(5):
        try:
            status, _ = await gateway.write(endless())
            assert status == 503
        except OSError:
            pass  # the server closed before the client, which is still sending, had read its answer
    assert (await waiting)[0] == 503
    assert gateway.count("forebay_gateway_overload_refusals_total", short="turn") == 3
    assert log.gate is not None
    log.gate.set()
    assert await asyncio.gather(*at_work) == [(204, "")] * 2


async def test_large_bodies_wait_for_threads_of_their_own(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(GatewaySettings(thread_bytes=Size(200), threads=1, max_concurrent=1))
    at_work = await fill(gateway, log, "a")
    async with asyncio.timeout(5):
        log.reached.clear()
        large = asyncio.create_task(gateway.write(good(1000)))
        await log.reached.wait()
        assert log.gate is not None
        log.gate.set()
        assert await large == (204, "")
    assert await asyncio.gather(*at_work) == [(204, "")]


async def test_while_the_log_is_full_requests_are_refused_before_their_body(
    make_gateway: MakeGateway, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await make_gateway()
    backlog = 1000
    monkeypatch.setattr(log, "backlog_bytes", lambda: backlog)
    log.error = LogFull("full")
    assert (await gateway.write(good()))[0] == 503
    received = gateway.count("forebay_gateway_received_bytes_total")
    log.error = None
    status, text = await gateway.write(good())
    assert (status, text) == (
        503,
        "too many bytes wait for the log waiting=1000 (hint: retry; see what the log does)\n",
    )
    assert gateway.count("forebay_gateway_received_bytes_total") == received
    assert gateway.count("forebay_gateway_overload_refusals_total", short="log") == 2
    backlog = 999
    assert (await gateway.write(good()))[0] == 204


async def test_a_log_that_is_full_without_a_backlog_is_asked_every_time(gateway: Gateway, log: FakeLog) -> None:
    log.error = LogFull("log has reached its size")
    for _ in range(3):
        status, text = await gateway.write(good())
        assert (status, text) == (503, "log has reached its size\n")
    log.error = None
    assert (await gateway.write(good()))[0] == 204


def test_one_tenant_leaves_bytes_for_others() -> None:
    budget = InFlight(1000)
    with budget.open() as first, budget.open() as second, budget.open() as other:
        first.belongs_to("greedy")
        second.belongs_to("greedy")
        other.belongs_to("other")
        first.take(400)
        second.take(400)
        with pytest.raises(GatewayFull, match="of this tenant: held=800 more=1 left=199"):
            second.take(1)
        other.take(150)
        other.take(50)
        with pytest.raises(GatewayFull, match="in_flight=1000"):
            other.take(1)
    assert (budget.bytes, budget.requests, budget._tenants) == (0, 0, {})


def test_a_tenants_only_request_may_take_everything() -> None:
    budget = InFlight(1000)
    with budget.open() as only:
        only.belongs_to("a")
        only.take(999)
        only.take(1)
