"""What one connection may cost, and who makes room when there are too many."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import psutil
import pytest
import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry

from forebay.clock import ManualClock
from forebay.logs import get_logger
from forebay.readiness import Readiness
from forebay.settings_file import parse_settings
from forebay.web import WebServer, make_app
from forebay.web_access import WebAccess
from gateway.siblings import Alone
from tests.peers.process import free_port

GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
BLOB = bytes(16 << 20)


class Peer:
    """The other end of a connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """Status line and headers of one answer; the body is read and dropped."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        await self.reader.readexactly(length)
        return head.split(b"\r\n")[0]

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def closed(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                return await self.rest() == b""
        return False


class Served:
    def __init__(self, port: int, registry: CollectorRegistry, peers: AsyncExitStack) -> None:
        self.port, self.registry, self._peers = port, registry, peers
        self.go_on = asyncio.Event()

    async def connect(self) -> Peer:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)  # what is read slowly arrives slowly
        plain.connect(("127.0.0.1", self.port))
        peer = Peer(*await asyncio.open_connection(sock=plain))
        self._peers.callback(peer.writer.close)
        return peer

    def cut(self, reason: str) -> float | None:
        return self.registry.get_sample_value("forebay_web_connections_cut_total", {"reason": reason})

    def open(self) -> float | None:
        return self.registry.get_sample_value("forebay_web_connections")


MakeServed = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[MakeServed]:
    async with AsyncExitStack() as stack:

        async def make(**settings: int | str) -> Served:
            readiness, registry = Readiness(), CollectorRegistry()
            app = make_app(registry, readiness, Alone())
            served = Served(port := free_port(), registry, stack)

            async def wait(_: web.Request) -> web.Response:
                await served.go_on.wait()
                return web.Response(text="waited")

            async def blob(_: web.Request) -> web.Response:
                return web.Response(body=BLOB)

            async def refuse(_: web.Request) -> web.Response:
                return web.Response(status=413, text="refused")

            app.add_routes([web.get("/wait", wait), web.get("/blob", blob), web.post("/refuse", refuse)])
            given = {"listen_address": f"127.0.0.1:{port}", **settings}
            chosen = parse_settings(yaml.safe_dump({"web": given}), {})
            access = WebAccess(chosen, registry, ManualClock())
            stack.callback(access.close)
            server = WebServer(app, chosen.web, "", get_logger("web"), access=access)
            await server.start()
            stack.push_async_callback(server.stop)
            return served

        yield make


async def test_headers_that_do_not_end_are_503(serve: MakeServed) -> None:
    served = await serve(header_timeout="200ms")
    slow, later = await served.connect(), await served.connect()
    await slow.send(b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\n")
    await later.send(GET)
    assert await later.answer() == b"HTTP/1.1 200 OK"
    assert (await slow.rest()).startswith(b"HTTP/1.1 503 ")
    assert served.cut("header_timeout") == 1
    await later.send(GET[:-2])  # on a connection that served before, too
    assert (await later.rest()).startswith(b"HTTP/1.1 503 ")
    assert served.open() == 0


async def test_headers_that_drip_are_503_all_the_same(serve: MakeServed) -> None:
    served = await serve(header_timeout="200ms")
    peer = await served.connect()

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            await peer.send(b"GET / HTTP/1.1\r\n")
            for number in range(100):
                await peer.send(b"X-%d: a\r\n" % number)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await peer.rest()).startswith(b"HTTP/1.1 503 ")
    dripping.cancel()


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r\n\r\n"])
async def test_empty_lines_are_no_request(serve: MakeServed, line: bytes) -> None:
    served = await serve(header_timeout="300ms", max_connections=1)
    peer = await served.connect()
    await peer.send(line * 10)
    await asyncio.sleep(0.05)
    other = await served.connect()  # the first is idle, and makes room
    await other.send(GET)
    assert await other.answer() == b"HTTP/1.1 200 OK"


async def test_a_head_that_is_no_request_holds_no_place(serve: MakeServed) -> None:
    served = await serve(header_timeout="300ms", max_connections=1)
    peer = await served.connect()
    await peer.send(b"GET /-/healthy\r\n\r\n")  # as before HTTP had versions
    await asyncio.sleep(0.05)
    other = await served.connect()
    await other.send(GET)
    assert await other.answer() == b"HTTP/1.1 200 OK"
    await other.send(b"GET /-/healthy\r\n\r\n")
    assert not (await other.rest()).startswith(b"HTTP/1.1 2")
    assert served.open() == 0


async def test_many_headers_are_431(serve: MakeServed) -> None:
    served = await serve()
    peer = await served.connect()
    with contextlib.suppress(ConnectionError):
        await peer.send(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n")
        for number in range(80):
            await peer.send(b"X-%d: %s\r\n" % (number, b"a" * 1000))
            await asyncio.sleep(0)
    assert (await peer.rest()).startswith(b"HTTP/1.1 431 ")
    assert served.cut("header_bytes") == 1


async def test_a_full_server_closes_who_was_idle_longest(serve: MakeServed) -> None:
    served = await serve(max_connections=2)
    first, second = await served.connect(), await served.connect()
    for peer in (second, first):
        await peer.send(GET)
        assert await peer.answer() == b"HTTP/1.1 200 OK"
    third = await served.connect()
    await third.send(GET)
    assert await third.answer() == b"HTTP/1.1 200 OK"
    assert await second.closed()
    assert not await first.closed()
    assert (served.cut("evicted"), served.open()) == (1, 2)


async def test_a_server_that_is_full_of_work_refuses(serve: MakeServed) -> None:
    served = await serve(max_connections=2)
    busy = [await served.connect() for _ in range(2)]
    for peer in busy:
        await peer.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.05)
    assert await (await served.connect()).closed()
    assert served.cut("full") == 1
    served.go_on.set()
    for peer in busy:
        assert await peer.answer() == b"HTTP/1.1 200 OK"
    again = await served.connect()
    await again.send(GET)
    assert await again.answer() == b"HTTP/1.1 200 OK"


async def test_an_answer_that_nobody_reads_is_given_up(serve: MakeServed) -> None:
    served = await serve(write_timeout="200ms")
    peer = await served.connect()
    await peer.send(b"GET /blob HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(10):
        while not served.cut("write_timeout"):  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.05)
    assert len(await peer.rest()) < len(BLOB)


async def test_an_answer_that_is_read_in_time_comes_whole(serve: MakeServed) -> None:
    served = await serve(write_timeout="300ms")
    peer = await served.connect()
    await peer.send(b"GET /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    size = 0
    while part := await peer.reader.read(4 << 20):
        size += len(part)
        await asyncio.sleep(0.01)  # slower as a whole than the timeout
    assert size > len(BLOB)
    assert served.cut("write_timeout") == 0


async def test_a_body_after_its_answer_is_no_header(serve: MakeServed) -> None:
    """The sender of a large body that is refused can read why."""
    served = await serve(header_timeout="200ms")
    peer = await served.connect()
    await peer.send(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(100_000))
    for _ in range(9):
        await asyncio.sleep(0.05)
        await peer.send(bytes(100_000))
    assert await peer.answer() == b"HTTP/1.1 413 Request Entity Too Large"
    await peer.send(GET)
    assert await peer.answer() == b"HTTP/1.1 200 OK"
    assert served.cut("header_timeout") == served.cut("header_bytes") == 0


async def test_pipelined_requests_are_answered_in_order(serve: MakeServed) -> None:
    served = await serve(header_timeout="200ms")
    peer = await served.connect()
    await peer.send(GET + b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /missing HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.4)
    served.go_on.set()
    assert [await peer.answer() for _ in range(3)] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 404 Not Found",
    ]


async def test_open_files_are_allowed_for_all_connections(serve: MakeServed) -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = psutil.Process().num_fds() + 64  # the tests before this one hold some open
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        await serve(max_connections=low)
        needed = low + 1024
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (
            needed if hard == resource.RLIM_INFINITY else min(needed, hard),
            hard,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
