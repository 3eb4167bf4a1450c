"""Hostile HTTP and hostile connections against a real process: one clear answer, and the others are served."""

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.client import call, until
from tests.faults.hostile_http import EVERY, SMUGGLED, Raw, chunked, get, post
from tests.faults.watched import Watched
from tests.fuzz.mutator import Mutator

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured by Linux' own account"),
    pytest.mark.usefixtures("peak"),
]
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
MAX_CONNECTIONS = 64
MALFORMED = '{reason="malformed"}'


def connect(watched: Watched) -> socket.socket:
    return socket.create_connection(("127.0.0.1", watched.server.port), timeout=10)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the server closes, or is silent for a moment after it has answered.

    The sending side stays open: who closes it does not wait for an answer, in the eyes of this server.
    """
    connection.settimeout(3)
    parts = []
    with contextlib.suppress(OSError):
        while part := connection.recv(1 << 16):
            parts.append(part)
            connection.settimeout(0.2)
    return b"".join(parts)


def metric(watched: Watched, name: str, labels: str = "") -> float:
    text = call("GET", f"{watched.server.url}/metrics").text
    found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


@pytest.mark.parametrize("raw", EVERY, ids=str)
def test_it_has_one_answer(watched: Watched, raw: Raw) -> None:
    with connect(watched) as connection:
        with contextlib.suppress(OSError):  # it may be closed before all of it is sent
            connection.sendall(raw.data)
        answer = everything(connection)
    statuses = [int(status) for status in _STATUS.findall(answer)]
    assert len(statuses) == bool(raw.statuses), answer
    assert set(statuses) <= set(raw.statuses), answer[:1000]
    assert b"Traceback" not in answer
    assert b"X-Injected" not in answer.partition(b"\r\n\r\n")[0]
    assert len(answer) < 5000


def test_mutated_requests_are_answered_or_refused(watched: Watched) -> None:
    """Heads alone are damaged: a body that is not there is waited for, and that has its own test."""
    mutator, seen = Mutator(20_261), Counter[int]()
    good = [post(b"X-Scope-OrgID: mallory", b"Content-Length: 0"), get(b"Accept: */*"), chunked(b"1\r\nx\r\n0\r\n\r\n")]
    for _ in range(150):
        with connect(watched) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(mutator.of(good) + b"\r\n\r\n")
            seen.update(int(status) for status in _STATUS.findall(everything(connection)))
    assert set(seen) <= {200, 204, 400, 403, 404, 405, 413, 415, 417, 431, 503}, seen
    assert seen[400] > 100


def test_http_1_0_is_spoken(watched: Watched) -> None:
    with connect(watched) as connection:
        connection.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"healthy\n")
    assert b"aiohttp" not in answer
    assert b"\r\nServer: forebay\r\n" in answer


def test_a_body_may_wait_for_100_continue(watched: Watched) -> None:
    with connect(watched) as connection:
        connection.sendall(post(b"Expect: 100-continue", b"Content-Length: 3"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_headers_that_never_end_hold_nobody_up(watched: Watched) -> None:
    """Slowloris, with three times as many connections as there may be."""
    stop = threading.Event()

    def drip(connections: list[socket.socket]) -> None:
        while not stop.wait(0.1):
            for each in connections:
                with contextlib.suppress(OSError):
                    each.send(b"X: y\r\n")

    with ExitStack() as stack:
        slow = [stack.enter_context(connect(watched)) for _ in range(3 * MAX_CONNECTIONS)]
        for each in slow:
            with contextlib.suppress(OSError):
                each.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\n")
        dripping = threading.Thread(target=drip, args=(slow,))
        dripping.start()
        try:
            began = time.monotonic()
            while time.monotonic() - began < 3:
                asked = time.monotonic()
                assert watched.good.send(series=3).status == 204
                assert time.monotonic() - asked < 2
        finally:
            stop.set()
            dripping.join()
    assert metric(watched, "forebay_web_connections_cut_total", '{reason="header_timeout"}') > 0
    until(lambda: metric(watched, "forebay_web_connections") < 5, "the end of slow connections")


def test_a_flood_of_connections_is_bounded(watched: Watched) -> None:
    with ExitStack() as stack:
        for number in range(500):
            stack.enter_context(connect(watched))
            if number % 50 == 0:
                assert watched.good.send(series=3).status == 204
        assert metric(watched, "forebay_web_connections") <= MAX_CONNECTIONS


def test_bodies_that_never_end_leave_room_for_others(watched: Watched) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS - 10):
            slow = stack.enter_context(connect(watched))
            slow.sendall(post(b"Content-Length: 100000", body=b"abc"))
        assert watched.good.send(series=3).status == 204
        time.sleep(1.5)  # body_timeout
        assert metric(watched, "forebay_gateway_in_flight_requests") == 0


def test_a_flood_of_pipelined_requests_is_taken_as_it_is_answered(watched: Watched) -> None:
    count = 200_000
    with connect(watched) as connection:
        answered = 0
        connection.settimeout(30)

        def send() -> None:
            with contextlib.suppress(OSError):
                connection.sendall(get() * count)

        sending = threading.Thread(target=send)
        sending.start()
        assert watched.good.send(series=3).status == 204
        time.sleep(0.5)  # nothing is read: the server must stop, too
        began = time.monotonic()
        while time.monotonic() - began < 5 and answered < 20_000:
            answered += connection.recv(1 << 20).count(b"HTTP/1.1 200")
        assert answered >= 20_000
        connection.shutdown(socket.SHUT_RDWR)
        sending.join()


def test_a_client_that_goes_away_amid_anything_costs_nothing(watched: Watched) -> None:
    data = post(b"Content-Length: 20", body=b"x" * 20)
    for at in range(0, len(data), 3):
        with connect(watched) as connection:
            connection.sendall(data[:at])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # a reset
    assert_free(watched)


def assert_free(watched: Watched) -> None:
    until(lambda: metric(watched, "forebay_web_connections") < 5, "the end of connections")
    assert metric(watched, "forebay_gateway_in_flight_requests") == 0
    assert metric(watched, "forebay_gateway_in_flight_bytes") == 0


def test_the_second_request_alone_would_be_answered(watched: Watched) -> None:
    with connect(watched) as connection:
        connection.sendall(SMUGGLED)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_breaks_later_has_one_answer(watched: Watched) -> None:
    with connect(watched) as connection:
        connection.sendall(post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"))
        time.sleep(0.3)
        connection.sendall(b"zz\r\n" + SMUGGLED)
        answer = everything(connection)
    assert [int(status) for status in _STATUS.findall(answer)] in ([400], [503]), answer


def test_what_is_no_http_is_counted_and_fills_no_log(watched: Watched) -> None:
    before, size = metric(watched, "forebay_web_refused_requests_total", MALFORMED), watched.server.log.stat().st_size
    for _ in range(100):
        with connect(watched) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer hunter2\x00\r\n\r\n")
            assert b"hunter2" not in everything(connection)
    assert metric(watched, "forebay_web_refused_requests_total", MALFORMED) == before + 100
    assert watched.server.log.stat().st_size - size < 3000
    assert b"hunter2" not in watched.server.log.read_bytes()
