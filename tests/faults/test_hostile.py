"""Hostile requests against a real process: a clear answer, bounded memory, and everybody else is served as before."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.client import Answer, call, snappy
from tests.faults.hostile_bodies import (
    OVER_2,
    READS,
    WRITES,
    WRITES_V2,
    Case,
    good_write,
    good_write_v2,
    mutants,
    query,
)
from tests.faults.watched import MIB, Watched

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is measured by Linux' own account"
)

ALLOWED_TOGETHER = (512 + 128 + 200) * MIB
"""The two budgets of bytes in flight, and what requests before have left behind."""
WRITE, READ = "/api/v1/write", "/api/v1/read"


def send(watched: Watched, path: str, case: Case) -> Answer:
    """The answer, also one that comes before the body is read to its end."""
    body = case.body()
    if isinstance(body, bytes):
        return watched.bad.post(path, body, case.headers)
    with socket.create_connection(("127.0.0.1", watched.server.port), timeout=30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for chunk in body:
            try:
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            except OSError:
                break
        answer = connection.recv(65536).decode()
    return Answer(int(answer.split()[1]), answer)


def check(answer: Answer, case: Case) -> None:
    assert answer.status == case.status, answer.text[:500]
    if case.status >= 400:
        assert case.text in answer.text
        assert "Traceback" not in answer.text
        assert len(answer.text) < 5000


@pytest.mark.parametrize("case", [*WRITES, *WRITES_V2], ids=str)
@pytest.mark.usefixtures("peak")
def test_a_hostile_write_costs_its_sender(watched: Watched, case: Case) -> None:
    check(send(watched, WRITE, case), case)


@pytest.mark.parametrize("case", READS, ids=str)
@pytest.mark.usefixtures("peak")
def test_a_hostile_read_costs_its_sender(watched: Watched, case: Case) -> None:
    began = time.monotonic()
    check(send(watched, READ, case), case)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("path", "body", "headers", "allowed"),
    [
        (WRITE, good_write(), {}, {204, 400}),
        (WRITE, good_write_v2(), OVER_2, {204, 400}),
        (READ, query((2, b"a", b"b.*")), {}, {200, 400}),
    ],
    ids=["write", "write 2.0", "read"],
)
@pytest.mark.usefixtures("peak")
def test_a_mutated_message_is_taken_or_refused(
    watched: Watched, path: str, body: bytes, headers: dict[str, str], allowed: set[int]
) -> None:
    answers = [watched.bad.post(path, mutant, headers) for mutant in mutants(body, 300, seed=20_261)]
    assert {answer.status for answer in answers} == allowed
    refused = [answer.text for answer in answers if answer.status == 400]
    assert len(refused) > 50
    assert all(text.strip() and "Traceback" not in text for text in refused)


@pytest.mark.parametrize("path", [WRITE, READ])
@pytest.mark.usefixtures("peak")
def test_a_body_that_does_not_come_is_given_up(watched: Watched, path: str) -> None:
    with socket.create_connection(("127.0.0.1", watched.server.port), timeout=10) as slow:
        slow.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode())
        with socket.create_connection(("127.0.0.1", watched.server.port), timeout=10) as gone:
            gone.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode())
        answer = slow.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 503 ")
    assert "Retry-After: " in answer
    assert "body did not arrive in time" in answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [WRITE, READ])
def test_another_method_is_405(watched: Watched, path: str, method: str) -> None:
    assert call(method, f"{watched.server.url}{path}", snappy(good_write())).status == 405


@pytest.mark.parametrize("peak", [ALLOWED_TOGETHER], indirect=True, ids=["budgets"])
@pytest.mark.usefixtures("peak")
def test_many_large_bodies_at_once_are_bounded(watched: Watched) -> None:
    body = snappy(bytes(32 * MIB))
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: watched.bad.post((WRITE, READ)[n % 2], body), range(48)))
    assert {answer.status for answer in answers} <= {400, 503}
    assert all(answer.retry_after for answer in answers if answer.status == 503)
