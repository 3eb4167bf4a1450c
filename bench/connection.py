"""Connections that cost the sender little, so that one program can ask for more than a gateway can do."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import NamedTuple, cast

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Answered(NamedTuple):
    number: int
    sent: float
    """Monotonic."""
    seconds: float
    status: int
    """0 where the connection broke."""


class Connection(asyncio.Protocol):
    """One request at a time; `free` is called with itself once it can take the next."""

    def __init__(self, free: Callable[["Connection"], None], answered: Callable[[Answered], None]) -> None:
        self._free = free
        self._answered = answered
        self._transport: asyncio.Transport
        self._number = -1
        self._sent = 0.0
        self._received = b""
        self._open = False

    def send(self, number: int, head: bytes, body: bytes) -> None:
        """`head` is all that stands before the length of the body."""
        self._number = number
        self._sent = time.monotonic()
        self._transport.writelines([head, b"Content-Length: %d\r\n\r\n" % len(body), body])

    def close(self) -> None:
        if self._open:
            self._transport.close()

    @property
    def is_open(self) -> bool:
        return self._open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base
        self._open = True
        self._free(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head)
        if len(self._received) < head + 4 + (int(length[1]) if length else 0):
            return
        status = _STATUS.match(self._received)
        assert status is not None
        closes = b"connection: close" in self._received[:head].lower()
        self._received = b""
        self._end(int(status[1]))
        if closes:
            self._transport.close()
        else:
            self._free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._open = False
        if self._number >= 0:
            self._end(0)

    def _end(self, status: int) -> None:
        number, self._number = self._number, -1
        self._answered(Answered(number, self._sent, time.monotonic() - self._sent, status))
