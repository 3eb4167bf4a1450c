import http.server
import threading
import time
from collections.abc import Iterator

import cramjam
import pytest

from tests.elastic.senders import Load, Sender, labels_of, value_of
from tests.wire.messages import WriteRequest


class Gateway(http.server.ThreadingHTTPServer):
    """Answers with the statuses it was given, one after the other, then with 204; 0 ends the connection."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.taken: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if not status:
            self.close_connection = True
            return
        if status == 204:
            self.server.taken.append(body)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class' name
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(gateway: Gateway, load: Load, requests: int) -> Sender:
    sender = Sender(3, gateway.server_port, load)
    sender.start()
    deadline = time.monotonic() + 20
    while sum(map(len, sender.taken)) < requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sender.halt()
    return sender


def test_every_request_holds_what_the_verdict_expects(gateway: Gateway) -> None:
    sender = send(gateway, Load(series=5, interval=0.1, samples_per_request=2), requests=7)
    assert sender.failures == []
    assert sender.acknowledged == sum(
        len(part) * len(taken) for part, taken in zip(sender.parts, sender.taken, strict=True)
    )
    found = {}
    for body in gateway.taken:
        request = WriteRequest()
        request.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
        for series in request.timeseries:
            labels = {label.name: label.value for label in series.labels}
            index = int(labels[b"index"])
            assert labels == labels_of(3, index)
            (sample,) = series.samples
            found[index, sample.timestamp] = sample.value
    wanted = {
        (index, sender.time_ms(scrape)): value_of(index, scrape)
        for part, taken in zip(sender.parts, sender.taken, strict=True)
        for index in part
        for scrape in taken
    }
    assert found == wanted


def test_each_failure_is_noted_and_the_request_sent_again(gateway: Gateway) -> None:
    gateway.answers = [503, 0, 429, 500]
    sender = send(gateway, Load(series=2, interval=0.05), requests=3)
    assert [failure.why.split()[0].rstrip(":") for failure in sender.failures] == [
        "503",
        "RemoteDisconnected",
        "429",
        "500",
    ]
    assert sender.taken[0][:3] == [0, 1, 2]
    assert len(gateway.taken) == len(sender.taken[0])


def test_what_is_refused_is_noted_and_not_sent_again(gateway: Gateway) -> None:
    gateway.answers = [204, 400]
    sender = send(gateway, Load(series=2, interval=0.05), requests=3)
    assert sender.taken[0][:3] == [0, 2, 3]
    assert len(sender.failures) == 1
    assert sender.acknowledged == 2 * len(sender.taken[0])
