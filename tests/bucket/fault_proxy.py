"""Stands before an S3 server and does to its answers what networks and busy stores do, by a plan."""

import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple


class Refusal(NamedTuple):
    """The store's own error, without doing anything."""

    status: int
    code: str


Fault = Literal["pass", "drop", "half", "lose", "cut", "stall"] | Refusal
"""`drop`: nothing is done and no answer comes. `half`: half of the body comes to the store, then its connection and the
client's break; without a body it is as `lose`. `lose`: it is done and no answer comes. `cut`: it is done, and the
answer ends amid its body. `stall`: it is done, and the answer comes after the client's patience."""

Plan = Callable[[str, str], Fault]
"""What becomes of a request, by method and path with query. Called by any thread."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})


class FaultProxy(ThreadingHTTPServer):
    """`patience`: seconds that a stalled answer waits."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, upstream: str, plan: Plan, patience: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.plan = plan
        self.patience = patience
        self.seen: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self._forwarding = 0
        self._idle = threading.Condition()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def forwarding(self) -> Iterator[None]:
        with self._idle:
            self._forwarding += 1
        try:
            yield
        finally:
            with self._idle:
                self._forwarding -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Waits until nothing that a client gave up is still being done."""
        with self._idle:
            self._idle.wait_for(lambda: self._forwarding == 0)


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the library
        """Nobody reads it."""

    def do_any(self) -> None:
        self.close_connection = True  # so that the server's threads end with their requests
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        except ConnectionError:
            return  # the client was killed
        self.server.seen.append((self.command, self.path))
        fault = self.server.plan(self.command, self.path)
        if fault == "drop":
            return
        if isinstance(fault, Refusal):
            text = f"<Error><Code>{fault.code}</Code><Message>planned</Message></Error>".encode()
            self._answer(fault.status, {"Content-Type": "application/xml"}, len(text), text)
            return
        with self.server.forwarding():
            if self._client_is_gone():
                return  # what it gave up before it was begun is never done
            if fault == "half":
                self._send_half(body)
                return
            status, headers, length, data = self._forward(body)
        if fault == "stall":
            self.server.closing.wait(self.server.patience)
        if fault == "cut":
            data = data[: len(data) // 2]
        if fault != "lose" and not (fault == "cut" and not data):
            self._answer(status, headers, length, data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - as in the library

    def _client_is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _send_half(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self._kept_headers(body).items():
                connection.putheader(name, value)
            connection.endheaders(body[: len(body) // 2])
        finally:
            connection.close()

    def _kept_headers(self, body: bytes) -> dict[str, str]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        return kept | {"Content-Length": str(len(body))}

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], int, bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            connection.request(self.command, self.path, body, self._kept_headers(body))
            answer = connection.getresponse()
            data = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return answer.status, kept, int(answer.headers.get("Content-Length", len(data))), data
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], length: int, data: bytes) -> None:
        try:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        except ConnectionError:
            return  # the client has gone


@contextmanager
def fault_proxy(upstream: str, plan: Plan, patience: float = 1.0) -> Iterator[FaultProxy]:
    with FaultProxy(upstream, plan, patience) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.closing.set()
            proxy.shutdown()
            thread.join()
