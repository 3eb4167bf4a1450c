"""Senders of a constant rate: each request at its time, sent again until it is taken, every failure noted."""

import http.client
import struct
import threading
import time
from dataclasses import dataclass

import cramjam

from tests.wire.labels_oracle import canonical, text_field, varint

_HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
_BACKOFF_MIN, _BACKOFF_MAX = 0.03, 5.0
"""Seconds; Prometheus' own defaults."""
_PATIENCE = 60.0


@dataclass(frozen=True)
class Load:
    """What one sender sends: a scrape of all its series each `interval`, in requests spread evenly over it."""

    series: int
    interval: float
    samples_per_request: int = 500

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.series / self.interval


@dataclass(frozen=True)
class Failure:
    """An answer that is no 2xx, or no answer at all."""

    at: float
    """Seconds since the epoch."""
    why: str


def labels_of(sender: int, index: int) -> dict[bytes, bytes]:
    target, metric = divmod(index, 100)
    return {
        b"__name__": b"elastic_requests_%02d_total" % (metric % 50),
        b"handler": b"/api/v2/orders/%d/items" % (metric // 50),
        b"index": b"%06d" % index,
        b"instance": b"10.%d.%d.%d:9090" % (sender, target >> 8, target & 255),
        b"job": b"pods-%d" % (target % 29),
        b"pod": b"checkout-7d9f8b6c5d-%05x" % (target * 2654435761 & 0xFFFFF),
        b"sender": b"%d" % sender,
    }


def value_of(index: int, scrape: int) -> float:
    """A counter; no two neighbours alike."""
    return float(index % 997 + scrape * (index % 7 + 1))


class _Request:
    """The bytes of one request, whose times and values are rewritten in place for each scrape."""

    def __init__(self, sender: int, series: range, at_ms: int) -> None:
        self._series = series
        self._body = bytearray()
        self._at: list[int] = []
        for index in series:
            sample = b"\x09" + bytes(8) + b"\x10" + varint(at_ms)
            entry = canonical(labels_of(sender, index).items()) + text_field(2, sample)
            self._body += text_field(1, entry)
            self._at.append(len(self._body) - len(sample) + 1)

    def at(self, time_ms: int, scrape: int) -> bytes:
        """The compressed body."""
        stamp = b"\x10" + varint(time_ms)
        for index, at in zip(self._series, self._at, strict=True):
            struct.pack_into("<d", self._body, at, value_of(index, scrape))
            self._body[at + 8 : at + 8 + len(stamp)] = stamp
        return bytes(cramjam.snappy.compress_raw(self._body))


class Sender(threading.Thread):
    """Sends to one gateway until `halt`. What is public may be read from any thread at any time."""

    def __init__(self, number: int, port: int, load: Load) -> None:
        super().__init__(daemon=True, name=f"sender-{number}")
        self.number = number
        self.load = load
        self.begin_ms = time.time_ns() // 1_000_000
        self.parts = [
            range(first, min(first + load.samples_per_request, load.series))
            for first in range(0, load.series, load.samples_per_request)
        ]
        """The series of each request of a scrape."""
        self.taken: list[list[int]] = [[] for _ in self.parts]
        """By request of a scrape: the scrapes that were acknowledged."""
        self.failures: list[Failure] = []
        self.unknown = 0
        """Requests given up without an answer that tells."""
        self.acknowledged = 0
        """Samples."""
        self.latencies: list[float] = []
        """Seconds of each request that was taken, failed attempts before it included."""
        self.latest = 0.0
        """The most seconds that a request began after its time."""
        self._requests = [_Request(number, series, self.begin_ms) for series in self.parts]
        self._port = port
        self._connection: http.client.HTTPConnection | None = None
        self._halt = threading.Event()

    def halt(self) -> None:
        """Ends after the request that is under way."""
        self._halt.set()
        self.join(2 * _PATIENCE)

    def time_ms(self, scrape: int) -> int:
        """The time of the samples of a scrape."""
        return self.begin_ms + int(scrape * self.load.interval * 1000)

    def run(self) -> None:
        try:
            self._send()
        finally:
            self._hang_up()

    def _send(self) -> None:
        began = time.monotonic()
        scrape = 0
        while True:
            for part, request in enumerate(self._requests):
                due = began + self.load.interval * (scrape + part / len(self._requests))
                if self._halt.wait(max(0.0, due - time.monotonic())):
                    return
                self.latest = max(self.latest, time.monotonic() - due)
                if self._deliver(request.at(self.time_ms(scrape), scrape)):
                    self.taken[part].append(scrape)
                    self.acknowledged += len(self.parts[part])
            scrape += 1

    def _deliver(self, body: bytes) -> bool:
        """False where it was given up: refused, or not taken for a minute after `halt`."""
        began, backoff = time.monotonic(), _BACKOFF_MIN
        halted = None
        while True:
            status, why = self._post(body)
            if status // 100 == 2:
                self.latencies.append(time.monotonic() - began)
                return True
            self.failures.append(Failure(time.time(), why))
            if status // 100 == 4 and status != 429:
                return False
            if self._halt.is_set():
                halted = halted or time.monotonic()
                if time.monotonic() > halted + _PATIENCE:
                    self.unknown += 1
                    return False
            time.sleep(backoff)
            backoff = min(_BACKOFF_MAX, 2 * backoff)

    def _post(self, body: bytes) -> tuple[int, str]:
        """The status, 0 where no answer came."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._connection.request("POST", "/api/v1/write", body, _HEADERS)
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.will_close:
                self._hang_up()
            return answer.status, f"{answer.status} {text.strip()[:300]}"
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            return 0, f"{type(error).__name__}: {error}"

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
