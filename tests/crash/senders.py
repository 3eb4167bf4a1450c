"""Senders that remember: every acknowledged sample, and every one whose outcome they never learned."""

import http.client
import random
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import cramjam

from tests.wire.labels_oracle import label_fields, text_field, varint

SERIES = 40


def labels_of(sender: int, series: int) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"__name__", b"forebay_crash_test"),
        (b"sender", b"%d" % sender),
        (b"series", b"%03d" % series),
    )


def request_body(sender: int, samples: list[tuple[int, int, int]]) -> bytes:
    """A compressed body of (series, time in ms, bits) samples."""
    body = b""
    for series, at, bits in samples:
        entry = label_fields(labels_of(sender, series))
        body += text_field(1, entry + text_field(2, b"\x09" + struct.pack("<Q", bits) + b"\x10" + varint(at)))
    return bytes(cramjam.snappy.compress_raw(body))


Key = tuple[tuple[tuple[bytes, bytes], ...], int]


@dataclass
class Memory:
    """What one sender knows of its samples, by (labels, time)."""

    acknowledged: dict[Key, int] = field(default_factory=dict)
    uncertain: dict[Key, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class Sender(threading.Thread):
    """Sends request after request to any of `ports`, `pause` seconds apart; its samples are `age` ms old.

    A failed one is sent again, or given up for good now and then.
    """

    def __init__(
        self, number: int, ports: Sequence[int], tenant: str, seed: int, *, pause: float = 0, age: int = 0
    ) -> None:
        super().__init__(daemon=True)
        self.memory = Memory()
        self.number = number
        self.tenant = tenant
        self._ports = ports
        self._pause = pause
        self._age = age
        self._chance = random.Random(seed)
        self._halt = threading.Event()

    def halt(self) -> None:
        self._halt.set()
        self.join(60)

    def run(self) -> None:
        clock = 0
        while not self._halt.wait(self._pause):
            clock = max(clock, time.time_ns() // 1_000_000 - self._age)
            samples = []
            for series in self._chance.sample(range(SERIES), 25):
                clock += 1
                samples.append((series, clock, self._chance.getrandbits(64)))
            self._deliver(samples)

    def _deliver(self, samples: list[tuple[int, int, int]]) -> None:
        body = request_body(self.number, samples)
        known = {(labels_of(self.number, series), at): bits for series, at, bits in samples}
        tried = 0
        while True:
            status, text = self._post(body)
            tried += 1
            if status == 204:
                self.memory.acknowledged |= known
                return
            if status == 400:
                self.memory.refused.append(text)
                return
            if self._halt.is_set() or (tried > 3 and self._chance.random() < 0.1):
                self.memory.uncertain |= known
                return
            time.sleep(0.05)

    def _post(self, body: bytes) -> tuple[int, str]:
        """The status, 0 where no answer came."""
        connection = http.client.HTTPConnection("127.0.0.1", self._chance.choice(self._ports), timeout=10)
        try:
            connection.request(
                "POST",
                "/api/v1/write",
                body,
                {
                    "Content-Encoding": "snappy",
                    "Content-Type": "application/x-protobuf",
                    "X-Scope-OrgID": self.tenant,
                },
            )
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()
