"""A gateway on a fake log, behind a real HTTP server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry

from broker.log import LogWriter
from forebay.clock import ManualClock
from forebay.errors import Fatal
from gateway.app import IN_FLIGHT, INTAKE, SERVER_OPTIONS, add_gateway
from gateway.in_flight import InFlight
from gateway.label_tables import LabelTables
from gateway.limits import LimitSettings
from gateway.otlp.settings import OtlpSettings
from gateway.policy import Policies
from gateway.principal import ANONYMOUS, PRINCIPAL, Principal
from gateway.rejections import Rejections
from gateway.settings import GatewaySettings, HaSettings, TenancySettings
from gateway.siblings import Siblings
from tests.gateway.fake_log import FakeLog


@dataclass
class Gateway:
    client: TestClient[web.Request, web.Application]
    registry: CollectorRegistry
    in_flight: InFlight
    stopped: list[Fatal]
    rejections: Rejections

    async def write(self, body: bytes | AsyncIterator[bytes], **headers: str) -> tuple[int, str]:
        """Posts as Prometheus does; underscores in header names are dashes. Status and text."""
        given = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post(
            "/api/v1/write",
            data=body,
            headers={name: value for name, value in given.items() if value},
            skip_auto_headers=["Content-Type"],
        ) as answer:
            return answer.status, await answer.text()

    def count(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, f"no such metric: {name} {labels}"
        return value


class Server(TestServer):
    async def _make_runner(self, **_: object) -> web.AppRunner:
        """Serves as the product does, where TestServer would cancel handlers and decompress."""
        return web.AppRunner(self.app, **SERVER_OPTIONS)


def authenticated_as(principal: Principal) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[PRINCIPAL] = principal
        return await handler(request)

    return middleware


MakeGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
async def make_gateway(log: FakeLog, clock: ManualClock) -> AsyncIterator[MakeGateway]:
    async with AsyncExitStack() as stack:

        async def make(
            settings: GatewaySettings | None = None,
            *,
            limits: LimitSettings | None = None,
            tenancy: TenancySettings | None = None,
            otlp: OtlpSettings | None = None,
            ha: HaSettings | None = None,
            writer: LogWriter | None = None,
            policies: Policies | None = None,
            principal: Principal = ANONYMOUS,
            siblings: Siblings | None = None,
            labels: LabelTables | None = None,
        ) -> Gateway:
            registry = CollectorRegistry(auto_describe=True)
            app = web.Application(middlewares=[authenticated_as(principal)])
            stopped: list[Fatal] = []
            writer = log if writer is None else writer
            add_gateway(
                app,
                writer,
                settings=settings or GatewaySettings(),
                policies=policies or Policies(limits or LimitSettings(), ha or HaSettings(), writer.partitions),
                tenancy=tenancy or TenancySettings(),
                otlp=otlp or OtlpSettings(),
                clock=clock,
                registry=registry,
                logger=structlog.wrap_logger(structlog.ReturnLogger()),
                stop=stopped.append,
                siblings=siblings,
                labels=labels,
            )
            client = await stack.enter_async_context(TestClient(Server(app)))
            return Gateway(client, registry, app[IN_FLIGHT], stopped, app[INTAKE].rejections)

        yield make


@pytest.fixture
async def gateway(make_gateway: MakeGateway) -> Gateway:
    return await make_gateway()
