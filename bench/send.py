"""Sends prepared bodies over a few connections at once, as shards of a sender do, and times each write."""

import http.client
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    seconds: float
    latencies: tuple[float, ...]
    """Seconds of each request, ascending."""

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class SendError(Exception):
    """A body was refused: no figure can come of this run."""


HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
HEADERS_2 = HEADERS | {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "X-Prometheus-Remote-Write-Version": "2.0.0",
}


def _worker(
    address: tuple[int, str], headers: Mapping[str, str], work: Iterator[bytes], lock: threading.Lock, took: list[float]
) -> None:
    port, path = address
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while True:
        with lock:
            body = next(work, None)
        if body is None:
            connection.close()
            return
        while True:
            began = time.monotonic()
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
            took.append(time.monotonic() - began)
            if answer.status in {200, 204}:
                break
            if answer.status != 503:
                raise SendError(f"status {answer.status}: {text[:300]!r}")
            time.sleep(0.1)


def send(
    port: int,
    bodies: Iterable[bytes],
    *,
    connections: int = 8,
    path: str = "/api/v1/write",
    headers: Mapping[str, str] = HEADERS,
) -> Sent:
    """Returns when every body was acknowledged; a 503 is sent again. Raises SendError."""
    took: list[list[float]] = [[] for _ in range(connections)]
    failed: list[BaseException] = []
    lock, work = threading.Lock(), iter(bodies)

    def run(mine: list[float]) -> None:
        try:
            _worker((port, path), headers, work, lock, mine)
        except (OSError, http.client.HTTPException, SendError) as error:
            failed.append(error)

    began = time.monotonic()
    threads = [threading.Thread(target=run, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SendError(f"{len(failed)} connections failed") from failed[0]
    return Sent(time.monotonic() - began, tuple(sorted(second for mine in took for second in mine)))
