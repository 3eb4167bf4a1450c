"""Sends prepared bodies over a few connections at once, as shards of a sender do, and times each write.

It costs the sender about as little as it can: a receiver's cores are the sender's too, and what counts is the receiver.
"""

import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.load import Load


@dataclass(frozen=True)
class Sent:
    seconds: float
    latencies: tuple[float, ...]
    """Seconds of each request, ascending."""
    cpu_seconds: float = 0.0
    """Of the sender itself."""

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class SendError(Exception):
    """A body was refused: no figure can come of this run."""


HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
HEADERS_2 = HEADERS | {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "X-Prometheus-Remote-Write-Version": "2.0.0",
}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RECEIVE_BYTES = 1 << 16
_RETRY_SECONDS = 0.1
_GIVE_UP_SECONDS = 60.0
"""For one body, to a receiver that closes connections or answers 5xx."""


class _Connection:
    """One request at a time, over a connection that stays as long as the receiver keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._open()

    def open_again(self) -> None:
        self._socket.close()
        self._socket = self._open()

    def _open(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def close(self) -> None:
        self._socket.close()

    def post(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Status and answer. `head` is all that stands before the length of the body.

        Raises ConnectionError where the receiver closed instead of an answer, as one may that is asked too much.
        """
        self._socket.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        self._socket.sendall(body)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more(received)
        length = _LENGTH.search(received, 0, end + 2)
        whole = end + 4 + (int(length[1]) if length else 0)
        while len(received) < whole:
            received += self._more(received)
        return int(received[9:12]), received[end + 4 :]

    def _more(self, received: bytes) -> bytes:
        data = self._socket.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError(f"the receiver closed the connection after {received[:300]!r}")
        return data


_Feed = Iterator[tuple[int, bytes]]


class _Work:
    """Sends feeds of numbered bodies, each with the head of its own tenant, and keeps what each request took."""

    def __init__(self, heads: Sequence[bytes]) -> None:
        self._heads = heads
        self._lock = threading.Lock()
        self.took: list[float] = []
        self.cpu_seconds = 0.0
        self.failed: list[BaseException] = []

    def run(self, port: int, feed: _Feed) -> None:
        """Until the feed, which other threads may share, is at its end, or one of them has failed."""
        try:
            connection = _Connection(port)
            try:
                while self._one(connection, feed):
                    pass
            finally:
                connection.close()
        except (OSError, SendError) as error:
            self.failed.append(error)
        with self._lock:
            self.cpu_seconds += time.thread_time()

    def _one(self, connection: _Connection, feed: _Feed) -> bool:
        with self._lock:
            number, body = next(feed, (0, b""))
        if not body or self.failed:
            return False
        head = self._heads[number % len(self._heads)]
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            began = time.monotonic()
            try:
                status, text = connection.post(head, body)
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
                connection.open_again()
                continue
            self.took.append(time.monotonic() - began)
            if status in {200, 204}:
                return True
            if status < 500 or time.monotonic() > deadline:
                raise SendError(f"status {status}: {text[:300]!r}")
            time.sleep(_RETRY_SECONDS)


def tenants_of(load: Load, header: str = "X-Scope-OrgID") -> list[dict[str, str]]:
    """Headers of each tenant of a load, in turn as its requests are."""
    if load.tenants == 1:
        return [{header: "bench"}]
    return [{header: f"bench-{number}"} for number in range(load.tenants)]


def send(
    ports: int | Sequence[int],
    bodies: Iterable[bytes],
    *,
    connections: int = 8,
    path: str = "/api/v1/write",
    headers: Mapping[str, str] = HEADERS,
    tenants: Sequence[Mapping[str, str]] = ({},),
    lanes: bool = False,
) -> Sent:
    """Returns when every body was acknowledged; what met a 5xx or a closed connection is sent again. Raises SendError.

    Connections go to the ports in turn. Body number n has the headers of the tenant n modulo their number besides.
    With `lanes` a connection sends the bodies whose number is its own modulo the number of connections, as a sender's
    shards do: where that divides the requests of a scrape, no sample overtakes an older one of its series.
    """
    chosen = [ports] if isinstance(ports, int) else list(ports)
    heads = [
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode() for name, value in {**headers, **tenant}.items())
        for tenant in tenants
    ]
    feed = enumerate(bodies)
    feeds: list[_Feed] = [feed] * connections
    if lanes:
        numbered = list(feed)
        feeds = [iter(numbered[lane::connections]) for lane in range(connections)]
    work = _Work(heads)
    began = time.monotonic()
    threads = [
        threading.Thread(target=work.run, args=(chosen[number % len(chosen)], each))
        for number, each in enumerate(feeds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if work.failed:
        raise SendError(f"{len(work.failed)} connections failed") from work.failed[0]
    return Sent(time.monotonic() - began, tuple(sorted(work.took)), work.cpu_seconds)
