"""Accepts connections itself, so that each is counted and meets the TLS settings in force from its first moment."""

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from forebay.connections import Connections, Guard
from forebay.errors import Fatal

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_BACKLOG = 1024
_AT_ONCE = 64  # accepted before other work of the event loop has its turn
_PAUSE_SECONDS = 0.5
_OTHER_FILES = 1024  # of log, blocks and brokers
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_NOT_HERE = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class CannotListen(Fatal):
    """The address is taken, or is not this machine's."""


def bind(host: str | None, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Listening sockets, one of each address that the host has; None is every address. Raises OSError.

    `shared` ones have the port together with others that are.
    """
    made: list[socket.socket] = []
    refusal: OSError | None = None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                made.append(_listening(socket.socket(family, kind, protocol), address, shared=shared))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                refusal = error  # a machine without IPv6 may know such addresses
    except OSError:
        for each in made:
            each.close()
        raise
    if not made and refusal is not None:
        raise refusal
    return made


def _listening(made: socket.socket, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _close_if_cancelled(accepted: socket.socket, ended: "asyncio.Task[None]") -> None:
    if ended.cancelled():
        accepted.close()


class Listener:
    """Accepts on these sockets, which become its own, and serves `make` within a Guard."""

    def __init__(
        self,
        sockets: list[socket.socket],
        make: Callable[[], asyncio.Protocol],
        connections: Connections,
        *,
        tls: Callable[[], ssl.SSLContext | None],
        check: Callable[[asyncio.BaseTransport], bool],
        logger: "FilteringBoundLogger",
    ) -> None:
        """`tls` is asked, and `check` is, for every connection: what they say may change while others go on."""
        self._sockets = sockets
        self._make = make
        self._connections = connections
        self._tls = tls
        self._check = check
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def start(self) -> None:
        self._raise_limit_of_files()
        for each in self._sockets:
            each.setblocking(False)
            self._loop.add_reader(each, self._accept, each)

    def stop(self) -> None:
        """No further connections; those that there are go on. May be called twice."""
        self._stopped = True
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()
        self._sockets = []

    def _raise_limit_of_files(self) -> None:
        """To what this process may have; a soft limit of 1024 is for programs of another time."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = self._connections.limit + _OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < needed:
            possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
            if possible < needed:
                self._logger.warning(
                    "fewer files may be open than connections",
                    files=possible,
                    max_connections=self._connections.limit,
                    hint="raise the hard limit of open files (ulimit -n), or lower web.max_connections",
                )

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._logger.warning(
                    "cannot accept connections", error=error.strerror, hint="raise the limit of open files (ulimit -n)"
                )
                self._loop.remove_reader(listening)
                self._loop.call_later(_PAUSE_SECONDS, self._resume, listening)
                return
            guard = Guard(self._connections, self._make, self._check)
            if not self._connections.admit(guard):
                accepted.close()
                continue
            task = self._loop.create_task(self._connect(accepted, guard))
            guard.abandon = task.cancel
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(_close_if_cancelled, accepted))

    def _set_options(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Over TLS a Guard is not told of an answer that waits to be read; the kernel knows.
            milliseconds = max(1, int(self._connections.write_timeout * 1000))
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _resume(self, listening: socket.socket) -> None:
        if not self._stopped:
            self._loop.add_reader(listening, self._accept, listening)

    async def _connect(self, accepted: socket.socket, guard: Guard) -> None:
        context = self._tls()
        try:
            accepted.setblocking(False)
            with contextlib.suppress(OSError):  # it is gone already
                self._set_options(accepted)
            await self._loop.connect_accepted_socket(
                lambda: guard,
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._connections.header_timeout if context else None,
            )
        except OSError:  # of which ssl.SSLError and TimeoutError are
            accepted.close()
            guard.abandon = None
            guard.cut("handshake")
