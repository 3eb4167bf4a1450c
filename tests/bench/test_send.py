"""The sender of the benches against a server that misbehaves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest

from bench.send import SendError, Sent, send


class Server:
    """Answers each request with the next of these; None closes the connection instead."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self._answers = iter(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.bodies: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as file:
                while self._one(connection, file):
                    pass

    def _one(self, connection: socket.socket, file: BinaryIO) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = file.readline()
            if not line:
                return False
            head += line
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.bodies.append(file.read(length))
        answer = next(self._answers)
        if answer is None:
            return False
        connection.sendall(answer)
        return True


OK = b"HTTP/1.1 204 No Content\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
BAD = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad"


def go(answers: list[bytes | None], bodies: list[bytes]) -> tuple[Sent, list[bytes]]:
    with Server(answers).running() as server:
        return send(server.port, bodies, connections=1), server.bodies


def test_what_was_not_acknowledged_is_sent_again() -> None:
    sent, received = go([OK, BUSY, None, OK, OK], [b"a", b"bb", b"ccc"])
    assert received == [b"a", b"bb", b"bb", b"bb", b"ccc"]
    assert len(sent.latencies) == 4


def test_a_refusal_ends_the_run_with_what_was_answered() -> None:
    with pytest.raises(SendError) as caught:
        go([OK, BAD], [b"a", b"b", b"c"])
    assert "status 400: b'bad'" in str(caught.value.__cause__)
