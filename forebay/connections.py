"""How many connections there are, and how little one may cost: bounds that an HTTP server in Python does not have.

Each connection is a Guard, an asyncio protocol around the HTTP server's own:

accepted --(TLS)--> idle --first byte--> reading headers --their end--> busy --answered--> idle
                     |                    |                              |
                     oldest cut off       cut off after header_timeout   bodies are bounded by who reads them;
                     where room is        or _MAX_HEADER_BYTES           an answer that nobody reads is cut off
                     needed                                              after write_timeout
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import StreamReader, web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Gauge

_MAX_HEADER_BYTES = 64 << 10
_MIN_PROGRESS = 16 << 10  # bytes that a reader must have taken per write_timeout, or all there is
_FAREWELL_SECONDS = 1.0
CUTS: Final = ("full", "evicted", "handshake", "certificate", "header_timeout", "header_bytes", "write_timeout")
_FAREWELLS = {
    # Not 408: a sender drops for good what was answered with that.
    "header_timeout": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n",
    "header_bytes": b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
}


class ConnectionMetrics:
    """Every reason is there from the start, at 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("forebay_web_connections", "Connections that are open.", registry=registry)
        self.accepted = Counter("forebay_web_connections_accepted_total", "Connections accepted.", registry=registry)
        cut = Counter(
            "forebay_web_connections_cut_total", "Connections that were not served on.", ["reason"], registry=registry
        )
        self.cut = {reason: cut.labels(reason) for reason in CUTS}


class Connections:
    """The open connections of one server, at most `limit`; for one event loop."""

    def __init__(self, limit: int, *, header_timeout: float, write_timeout: float, metrics: ConnectionMetrics) -> None:
        self.limit = limit
        self.header_timeout = header_timeout
        self.write_timeout = write_timeout
        self.metrics = metrics
        self._open: set[Guard] = set()
        self._idle: dict[Guard, None] = {}  # the one that has been for longest comes first

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, guard: "Guard") -> bool:
        """Whether there is room; where there was none, the connection that was idle for longest makes some."""
        if len(self._open) >= self.limit:
            if not self._idle:
                self.metrics.cut["full"].inc()
                return False
            next(iter(self._idle)).cut("evicted")
        self.metrics.accepted.inc()
        self._open.add(guard)
        self._idle[guard] = None
        self.metrics.open.set(len(self._open))
        return True

    def busy(self, guard: "Guard") -> None:
        self._idle.pop(guard, None)

    def idle(self, guard: "Guard") -> None:
        if guard in self._open:
            self._idle[guard] = None

    def gone(self, guard: "Guard") -> None:
        """May be called twice."""
        self._open.discard(guard)
        self._idle.pop(guard, None)
        self.metrics.open.set(len(self._open))


class Guard(asyncio.Protocol):
    """One connection. `make` makes the protocol within; `check` says whether the peer may stay, once TLS is done."""

    def __init__(
        self,
        connections: Connections,
        make: Callable[[], asyncio.Protocol],
        check: Callable[[asyncio.BaseTransport], bool],
    ) -> None:
        self._connections = connections
        self._make = make
        self._check = check
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._ended = False
        self._in_headers = True
        self._complete = False
        self._header_bytes = 0
        self._tail = b""
        self._rest: StreamReader | None = None
        self.abandon: Callable[[], object] | None = None
        """Ends what makes the connection, while there is no transport yet."""

    def cut(self, reason: str) -> None:
        """Ends the connection, after a word of farewell where the peer is waiting for an answer."""
        self._connections.metrics.cut[reason].inc()
        self._connections.gone(self)
        self._stop_timers()
        transport = self._transport
        if transport is None:
            if self.abandon is not None:
                self.abandon()
        elif reason in _FAREWELLS and not self._complete:
            transport.write(_FAREWELLS[reason])
            if transport.can_write_eof():
                transport.write_eof()
            self._ended = True  # closed at once, with bytes unread, the farewell would be lost on its way
            self._loop.call_later(_FAREWELL_SECONDS, transport.abort)
        else:
            transport.abort()

    def begin(self) -> None:
        """A request of this connection is being handled."""
        self._connections.busy(self)
        self._in_headers = False
        self._stop_timer()

    def end(self, content: StreamReader) -> None:
        """Its handler is done; `content` is its body, which may be still on its way."""
        self._rest = None if content.is_eof() else content
        self._in_headers = True
        self._complete = False
        self._header_bytes = 0
        self._tail = b""
        self._connections.idle(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's goes both ways
        if not self._check(transport):
            self.cut("certificate")
            return
        self._inner = self._make()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        if self._in_headers and not self._may_go_on(data):
            return
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, TimeoutError):  # the kernel's, after as long as ours
            self._connections.metrics.cut["write_timeout"].inc()
        self._connections.gone(self)
        self._stop_timers()
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._inner = None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()
            self._watch_progress()

    def resume_writing(self) -> None:
        self._stop_watching()
        if self._inner is not None:
            self._inner.resume_writing()

    def _may_go_on(self, data: bytes) -> bool:
        """Counts what may be headers; False where there were too many."""
        if self._rest is not None:
            if not self._rest.is_eof():
                return True  # of a body whose request has been answered: the server reads on for a moment
            self._rest = None
        if not self._header_bytes:
            data = data.lstrip(b"\r\n")  # allowed before a request, and must not look like the end of one
        if self._timer is None:
            # It runs until the request is being handled: there are heads that end, and are no request.
            self._timer = self._loop.call_later(self._connections.header_timeout, self.cut, "header_timeout")
        seen = self._tail + data if self._tail else data
        if self._complete or seen.find(b"\r\n\r\n") >= 0:
            self._complete = True  # what follows is a body
            return True
        self._tail = seen[-3:]
        self._header_bytes += len(data)
        if self._header_bytes > _MAX_HEADER_BYTES:
            self.cut("header_bytes")
            return False
        return True

    def _watch_progress(self) -> None:
        if self._transport is not None:
            waiting = self._transport.get_write_buffer_size()
            self._stop_watching()
            self._stalled = self._loop.call_later(self._connections.write_timeout, self._look, waiting)

    def _look(self, before: int) -> None:
        self._stalled = None
        if self._transport is None:
            return
        if before - self._transport.get_write_buffer_size() < _MIN_PROGRESS:
            self.cut("write_timeout")
        else:
            self._watch_progress()

    def _stop_timers(self) -> None:
        self._stop_timer()
        self._stop_watching()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def guard_of(request: web.BaseRequest) -> Guard | None:
    """The connection that a request came over; None where no Listener accepted it, or it is gone."""
    protocol: Any = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Guard) else None


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells the connection when a request of it is being handled."""
    guard = guard_of(request)
    if guard is None:
        return await handler(request)
    guard.begin()
    try:
        return await handler(request)
    finally:
        guard.end(request.content)
