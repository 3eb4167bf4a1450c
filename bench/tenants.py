"""What ten thousand tenants cost a gateway: `python -m bench.tenants`.

Each tenant has limits of its own in the overrides file and writes; then they go on writing at a steady pace, while the
file stays as it is and while it is written anew again and again, in turn. Memory and the size of /metrics are told
before and after; latencies with and without reloads come from the same run.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.process import MIB, Measured, forebay
from tests.gateway.requests import body
from tests.peers.process import free_port

_SERIES = 10
_RELOAD_SECONDS = 3.0
"""Between two changes of the file: longer than it takes to look at it and to read it."""


_TAKEN_SECONDS = 120.0


@dataclass(frozen=True)
class Paced:
    latencies: tuple[float, ...]
    """Seconds of each request, ascending."""

    def at(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class Sender:
    """One connection; writes as any tenant."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def write(self, tenant: str) -> float:
        """Seconds that it took. Raises RuntimeError where it was refused."""
        now = time.time_ns() // 1_000_000
        series = (({"__name__": "up", "instance": f"host-{n}"}, [(now, 1.0)]) for n in range(_SERIES))
        headers = {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": tenant}
        data = body(*series)
        began = time.monotonic()
        self._connection.request("POST", "/api/v1/write", data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.NO_CONTENT:
            raise RuntimeError(f"status {answer.status}: {text[:300]!r}")
        return time.monotonic() - began

    def pace(self, tenants: int, rate: float, seconds: float) -> Paced:
        """`rate` writes a second, by tenants in turn; a late one is not made up for."""
        took: list[float] = []
        end = due = time.monotonic()
        end += seconds
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            took.append(self.write(f"tenant-{len(took) * 37 % tenants}"))
            due = max(due + 1 / rate, time.monotonic())
        return Paced(tuple(sorted(took)))


def overrides(tenants: int, distinct: int, edition: int) -> str:
    """Of every tenant; `distinct` different ones. Each edition differs."""
    lines = [
        f"  tenant-{n}: {{max_label_pairs: {30 + n % distinct % 900}, "
        f"samples_per_second: {1_000_000 + n % distinct + edition}, shard_size: 2}}"
        for n in range(tenants)
    ]
    return "tenants:\n" + "\n".join(lines) + "\n"


@contextmanager
def reloading(file: Path, texts: list[str], pages: list[int], port: int) -> Iterator[None]:
    """Writes the file anew, again and again; `pages` counts how often the gateway has taken it."""
    stop = threading.Event()

    def run() -> None:
        number = 0
        while not stop.wait(_RELOAD_SECONDS):
            fresh = file.with_suffix(".new")
            fresh.write_text(texts[number % len(texts)])
            fresh.rename(file)
            number += 1
        pages.append(number)

    thread = threading.Thread(target=run)
    before = _reloaded_at(port)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        deadline = time.monotonic() + _TAKEN_SECONDS
        while _reloaded_at(port) == before:
            if time.monotonic() > deadline:
                raise RuntimeError("the gateway has taken no new overrides")
            time.sleep(0.2)


def _page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def _reloaded_at(port: int) -> str:
    name = 'forebay_config_last_reload_success_timestamp_seconds{config="overrides"}'
    return next(line for line in _page(port).splitlines() if line.startswith(name))


def _idle(gateway: Measured) -> int:
    """Resident bytes, without those of the process that reads overrides."""
    time.sleep(1)
    return int(psutil.Process(gateway.pid).memory_info().rss)


def measure(tenants: int, distinct: int, rate: float, seconds: float, rounds: int) -> None:
    texts = [overrides(tenants, distinct, edition) for edition in (1, 2)]
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        directory, port = Path(scratch), free_port()
        file = directory / "overrides.yaml"
        file.write_text("tenants: {}")
        (directory / "forebay.yaml").write_text(
            json.dumps(
                {
                    "overrides_file": "overrides.yaml",
                    "reload": {"interval": "500ms"},
                    "broker": {"embedded": {"partitions": 16}},
                    "self_metrics": {"enabled": False},
                }
            )
        )
        with forebay("gateway", port, directory / "forebay.yaml", directory / "data", directory / "log") as gateway:
            gateway.wait_ready(f"http://127.0.0.1:{port}/-/ready")
            sender = Sender(port)
            for _ in range(200):
                sender.write("tenant-0")
            bare, lines = _idle(gateway), len(_page(port).splitlines())
            read: list[int] = []
            with reloading(file, texts[:1], read, port):
                time.sleep(1.5 * _RELOAD_SECONDS)
            known = _idle(gateway)
            for number in range(tenants):
                sender.write(f"tenant-{number}")
            written, after = _idle(gateway), len(_page(port).splitlines())
            still: list[Paced] = []
            changing: list[Paced] = []
            for _ in range(rounds):
                still.append(sender.pace(tenants, rate, seconds))
                with reloading(file, texts, read, port):
                    changing.append(sender.pace(tenants, rate, seconds))
            ended = _idle(gateway)
    print(
        f"\n{tenants:,} tenants, {distinct:,} different limits, {sum(read)} reloads of {len(texts[0]) / MIB:.1f} MiB\n"
    )
    print("| what | value |\n|---|---|")
    print(f"| memory with one tenant, MiB | {bare / MIB:.0f} |")
    print(f"| more with overrides read, bytes per tenant | {(known - bare) / tenants:,.0f} |")
    print(f"| more once all have written, bytes per tenant | {(written - known) / tenants:,.0f} |")
    print(f"| memory at the end, MiB | {ended / MIB:.0f} |")
    print(f"| lines of /metrics, with one tenant and with all | {lines} and {after} |")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1.0)):
        before, during = (sorted(each.at(share) for each in side)[rounds // 2] for side in (still, changing))
        print(
            f"| {name} of a write, ms: without and with reloads | {before * 1000:.1f} and {during * 1000:.1f}, "
            f"ratio {during / before:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tenants", description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--distinct", type=int, default=10_000, help="how many different limits they have")
    parser.add_argument("--rate", type=float, default=100, help="writes a second of the steady load")
    parser.add_argument("--seconds", type=float, default=20, help="of each half of a round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    measure(given.tenants, given.distinct, given.rate, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
