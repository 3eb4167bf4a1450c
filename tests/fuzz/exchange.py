"""Whole requests into a gateway's HTTP server, in memory: parser, handlers, kernels, answer. No answer may be 5xx."""

import asyncio
import gzip
import logging
import re
from collections.abc import Sequence
from typing import Any

import cramjam
import structlog
from aiohttp import web
from google.protobuf.json_format import MessageToJson
from prometheus_client import CollectorRegistry

from broker.log import Appended, NewRecord
from forebay.clock import ManualClock
from gateway.app import SERVER_OPTIONS, add_gateway
from gateway.limits import LimitSettings
from gateway.otlp.settings import OtlpSettings
from gateway.policy import Policies
from gateway.settings import GatewaySettings, HaSettings, TenancySettings
from tests.fuzz import corpus
from tests.fuzz.corpus import NOW
from tests.fuzz.entry import Entry, Target
from tests.gateway.otlp.exports import Exports

_TURNS = 200
"""Rounds of the event loop in which a request must be answered, or be seen to be waiting for more bytes."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_HEADERS = """\
POST /api/v1/write HTTP/1.1
Host: gateway:9201
User-Agent: Prometheus/3.15.0
Content-Encoding: snappy
Content-Type: application/x-protobuf{message}
X-Prometheus-Remote-Write-Version: {version}
X-Scope-OrgID: team-a
"""
OTLP = """\
POST /api/v1/otlp/v1/metrics HTTP/1.1
Host: gateway:9201
User-Agent: OTel-OTLP-Exporter-Python/1.45.2
Content-Type: application/{form}
X-Scope-OrgID: team-a
"""
V1 = _HEADERS.format(message="", version="0.1.0")
V2 = _HEADERS.format(message=";proto=io.prometheus.write.v2.Request", version="2.0.0")


class NullLog:
    """Confirms everything and keeps nothing."""

    log_id = "fuzz"
    partitions = 7
    problem = ""

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        return [Appended(-1, -1) for _ in records]

    def backlog_bytes(self) -> int:
        return 0

    async def close(self) -> None:
        pass


class Wire(asyncio.Transport):
    """One connection's other end: keeps what the server writes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Exchange:
    """A gateway that is given one connection after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._server: Any = self._loop.run_until_complete(self._serve())
        self.statuses: dict[int, int] = {}

    async def _serve(self) -> Any:
        app = web.Application()
        add_gateway(
            app,
            NullLog(),
            settings=GatewaySettings(),
            policies=Policies(LimitSettings(), HaSettings(tenants="*"), NullLog.partitions),
            tenancy=TenancySettings(),
            otlp=OtlpSettings(),
            clock=ManualClock(NOW),
            registry=CollectorRegistry(),
            logger=structlog.wrap_logger(structlog.ReturnLogger()),
            stop=_raise,
        )
        quiet = logging.getLogger("fuzz")
        quiet.disabled = True
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, logger=quiet, **SERVER_OPTIONS)
        await self._runner.setup()
        return self._runner.server

    def __call__(self, data: bytes) -> list[int]:
        """Status of every answer. Raises AssertionError at a 5xx."""
        wire = Wire()
        self._loop.run_until_complete(self._exchange(wire, data))
        statuses = [int(status) for status in _STATUS.findall(wire.written)]
        for status in statuses:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status >= 500:
                raise AssertionError(f"answered with {status}: {bytes(wire.written[:500])!r}")
        return statuses

    def close(self) -> None:
        """Ends what still lingers. May be called once."""
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        await self._runner.cleanup()
        lingering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in lingering:
            task.cancel()
        await asyncio.gather(*lingering, return_exceptions=True)

    async def _exchange(self, wire: Wire, data: bytes) -> None:
        protocol = self._server()
        protocol.connection_made(wire)
        protocol.data_received(data)
        quiet = 0
        for _ in range(_TURNS):
            before = len(wire.written)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(wire.written) == before else 0
            if wire.closed or quiet > 8:
                break
        protocol.connection_lost(None)
        for _ in range(3):
            await asyncio.sleep(0)


def _raise(error: Exception) -> None:
    raise error


def request(headers: str, body: bytes) -> bytes:
    """As a sender writes it."""
    return f"{headers}Content-Length: {len(body)}\n\n".replace("\n", "\r\n").encode() + body


def _compressed(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def entries() -> dict[str, Entry]:
    exchange = Exchange()
    writes = corpus.write_requests()

    def of_body(headers: str) -> Target:
        return lambda data: exchange(request(headers, _compressed(bytes(data))))

    def of_headers(data: memoryview) -> None:
        body = _compressed(writes[0])
        head = bytes(data) + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        exchange(head + body)

    exports = [Exports(seed, NOW - 60_000, NOW).export(1, 2) for seed in range(20)]
    as_proto = [each.SerializeToString() for each in exports]
    as_json = [MessageToJson(each).encode() for each in exports]
    proto, json = OTLP.format(form="x-protobuf"), OTLP.format(form="json")
    whole = [request(V1, _compressed(each)) for each in writes] + [request(proto, each) for each in as_proto]
    heads = [each.removesuffix("\n").replace("\n", "\r\n").encode() for each in (V1, V2, proto)]
    return {
        "request, 1.0": Entry(of_body(V1), writes),
        "request, 2.0": Entry(of_body(V2), corpus.requests_v2()),
        "request, OTLP": Entry(lambda data: exchange(request(proto, bytes(data))), as_proto),
        "request, OTLP gzip": Entry(
            lambda data: exchange(request(f"{proto}Content-Encoding: gzip\n", gzip.compress(data, 1))), as_proto
        ),
        "request, OTLP JSON": Entry(lambda data: exchange(request(json, bytes(data))), as_json),
        "request, headers": Entry(of_headers, heads),
        "request, every byte": Entry(lambda data: exchange(bytes(data)), whole),
    }
