"""A sender and reader over HTTP that remembers what it was promised."""

import http.client
import random
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cramjam

from tests.e2e.samples import Samples, load
from tests.wire.messages import ReadRequest, ReadResponse, WriteRequest

Pairs = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    status: int
    text: str
    retry_after: str | None = None
    body: bytes = b""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def bits_of(value: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def call(
    method: str, url: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """Any status is an answer; raises OSError or HTTPException where none came. An iterator is sent chunked."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request(method, parts.path, body, headers or {}, encode_chunked=isinstance(body, Iterator))
        answer = connection.getresponse()
        data = answer.read()
        return Answer(answer.status, data.decode(errors="replace"), answer.headers["Retry-After"], data)
    finally:
        connection.close()


@dataclass
class Client:
    """One tenant's; `promised` holds the samples that were acknowledged, as `tests.e2e.samples.load` finds them."""

    url: str
    tenant: str
    promised: Samples = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    _rounds: int = 0

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        known = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Scope-OrgID": self.tenant,
        }

        return call("POST", f"{self.url}{path}", body, known | (headers or {}))

    def send(self, series: int = 20, padding: int = 0) -> Answer:
        """A new sample for each of so many series; `padding` random bytes in a label keep it from compressing."""
        self._rounds += 1
        request, promise = WriteRequest(), Samples()
        at = now_ms() + self._rounds  # however fast they come, the times of one client differ
        for number in range(series):
            labels: Pairs = [(b"__name__", b"faults"), (b"n", b"%04d" % number)]
            if padding:
                labels.append((b"pad", random.randbytes(padding).hex().encode()))
            labels.append((b"tenant", self.tenant.encode()))
            value = self._rounds + number / 1000
            entry = request.timeseries.add(samples=[{"value": value, "timestamp": at}])
            for name, text in labels:
                entry.labels.add(name=name, value=text)
            promise[tuple(labels), at] = [bits_of(value)]
        answer = self.post("/api/v1/write", snappy(request.SerializeToString()))
        self.answers.append(answer)
        if answer.status == 204:
            self.promised |= promise
        return answer

    def read(self, **matchers: str) -> Samples:
        """All floats of the tenant that pass these equalities."""
        request = ReadRequest()
        query = request.queries.add(start_timestamp_ms=0, end_timestamp_ms=1 << 60)
        for name, value in matchers.items():
            query.matchers.add(type=0, name=name.encode(), value=value.encode())
        answer = self.post("/api/v1/read", snappy(request.SerializeToString()))
        assert answer.status == 200, answer.text
        response = ReadResponse()
        response.ParseFromString(bytes(cramjam.snappy.decompress_raw(answer.body)))
        found: Samples = {}
        for series in response.results[0].timeseries:
            labels = tuple((label.name, label.value) for label in series.labels)
            for sample in series.samples:
                found.setdefault((labels, sample.timestamp), []).append(bits_of(sample.value))
        return found


def assert_kept(bucket: Path, *clients: Client) -> None:
    """What was acknowledged is in the bucket, with its bits, and in one block alone; nothing else is of these tenants.

    A request without an acknowledgement may have been stored: its sender sends it again.
    """
    stored = load(bucket)
    for client in clients:
        lost = [key for key in client.promised if key not in stored]
        assert not lost, f"{len(lost)} acknowledged samples are lost: {lost[:3]}"
        changed = [key for key, sample in client.promised.items() if stored[key] != sample]
        assert not changed, [(key, stored[key], client.promised[key]) for key in changed[:3]]


def until(condition: Any, what: str, seconds: float = 30) -> Any:
    """The first true value of `condition`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come to pass within {seconds} s")
