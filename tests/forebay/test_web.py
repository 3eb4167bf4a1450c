"""Health, readiness and metrics, as probes ask for them."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Gauge

from forebay.clock import ManualClock
from forebay.listener import CannotListen
from forebay.logs import get_logger
from forebay.readiness import Readiness
from forebay.settings import Settings, WebSettings
from forebay.web import WebServer, make_app
from forebay.web_access import WebAccess
from gateway.siblings import Alone
from tests.peers.process import free_port

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def client(readiness: Readiness) -> AsyncIterator[Client]:
    registry = CollectorRegistry()
    Gauge("answers", "How many.", registry=registry).set(42)
    async with TestClient(TestServer(make_app(registry, readiness, Alone()))) as client:
        yield client


async def test_healthy_whatever_readiness_says(client: Client, readiness: Readiness) -> None:
    readiness.require("log", lambda: "not open")
    assert (await client.get("/-/healthy")).status == 200


async def test_ready_names_every_reason_why_not(client: Client, readiness: Readiness) -> None:
    assert (await client.get("/-/ready")).status == 200
    objections = {"log": "not open"}
    readiness.require("log", lambda: objections.get("log", ""))
    readiness.require("bucket", lambda: "")
    readiness.require("consumer", lambda: objections.get("consumer", ""))
    objections["consumer"] = "not assigned"
    answer = await client.get("/-/ready")
    assert (answer.status, await answer.text()) == (503, "not ready\nlog: not open\nconsumer: not assigned\n")
    objections.clear()
    assert (await client.get("/-/ready")).status == 200


async def test_a_draining_process_is_unready(client: Client, readiness: Readiness) -> None:
    readiness.drain()
    answer = await client.get("/-/ready")
    assert (answer.status, await answer.text()) == (503, "not ready\nprocess: draining\n")


async def test_metrics_are_those_of_this_registry(client: Client) -> None:
    text = await (await client.get("/metrics")).text()
    assert "answers 42.0" in text
    assert "python_info" not in text


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/metrics"])
async def test_head_answers_as_get_does(client: Client, path: str) -> None:
    answer = await client.head(path)
    assert answer.status == 200
    assert await answer.read() == b""


async def test_an_address_that_is_taken_is_said_with_a_hint(readiness: Readiness) -> None:
    settings = WebSettings(listen_address=f"127.0.0.1:{free_port()}")
    access = WebAccess(Settings(), CollectorRegistry(), ManualClock())
    first = WebServer(
        make_app(CollectorRegistry(), readiness, Alone()), settings, ":0", get_logger("web"), access=access
    )
    await first.start()
    app = make_app(CollectorRegistry(), Readiness(), Alone())
    second = WebServer(app, settings, ":0", get_logger("web"), access=access)
    try:
        with pytest.raises(CannotListen, match=r"cannot listen: address=127.*hint: choose another"):
            await second.start()
    finally:
        await first.stop()
        access.close()
