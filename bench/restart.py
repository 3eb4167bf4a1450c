"""What a kill -9 costs: `python -m bench.restart`. Prometheus over the same samples is killed beside it, in turn.

The load lies in one partition, and in one open segment of it unless a run's `segment.max_bytes` cuts it before: then
only what came after the last cut is read again. Seconds run from the start of the process until it has caught up
(Forebay: the partition's position is the log's end; Prometheus: it is ready, its WAL replayed).
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, bodies
from bench.process import MIB, Measured, forebay
from bench.send import send
from tests.peers.kafka import KafkaBroker
from tests.peers.process import free_port
from tests.peers.recipes import PEERS

_POLL_SECONDS = 0.05
_TOPIC = "bench"
_ALL_IN_ONE_SEGMENT = "1TiB"


@dataclass(frozen=True)
class Restart:
    seconds: float
    cpu_seconds: float
    peak_memory: int
    samples: int
    """That were read again."""


@dataclass(frozen=True)
class Kind:
    """One row of the table, and how one restart of it is done."""

    name: str
    restart: Callable[[], Restart]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bodies:
    """Requests on disk: making them costs more than sending them, and all peers are to get the same."""

    def __init__(self, path: Path, load: Load) -> None:
        self._path = path
        with path.open("wb") as file:
            for body in bodies(load, time.time_ns() // 1_000_000):
                file.write(len(body).to_bytes(4, "big") + body)

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while size := file.read(4):
                yield file.read(int.from_bytes(size, "big"))


def ask(url: str) -> dict[str, Any] | None:
    """The JSON there; None while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return document
    except (urllib.error.URLError, ConnectionError):
        return None


def until(process: Measured, done: Callable[[], Any], began: float, seconds: float = 1800) -> float:
    """Seconds since `began` when `done` says so."""
    while not done():
        process.check_runs()
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"not there after {seconds} s:\n{process.tail()}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - began


class Forebay:
    """One group over a log that is full already. `name` tells its group, bucket and staging apart from others'."""

    def __init__(self, name: str, directory: Path, broker: dict[str, Any], max_bytes: str) -> None:
        self._data = directory / "data"
        self._settings = directory / f"{name}.yaml"
        self._log = directory / f"{name}.log"
        settings = {
            "broker": broker,
            "bucket": {"type": "FILESYSTEM", "config": {"directory": str(directory / f"bucket-{name}")}},
            "consumer": {"group": name, "member": "bench"},
            # So long that no slot ends while this runs: how much is open is for the load to say.
            "segment": {"interval": "3650d", "max_bytes": max_bytes},
            "self_metrics": {"enabled": False},
        }
        self._settings.write_text(json.dumps(settings))

    def fill(self, sent: Bodies) -> float:
        """Sends everything into the log, through a gateway; the seconds it took."""
        port = free_port()
        with forebay("gateway", port, self._settings, self._data, self._log) as process:
            process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
            seconds = send(port, sent).seconds
            process.stop()
        return seconds

    def restart(self) -> Restart:
        """Killed once it has caught up, and nothing is on its way into the bucket; so the next one meets the same."""
        port = free_port()
        status = f"http://127.0.0.1:{port}/api/v1/status"

        def row() -> dict[str, Any] | None:
            document = ask(status)
            rows = document["partitions"] if document else []
            return rows[0] if rows else None

        def caught_up() -> bool:
            found = row()
            return found is not None and found.get("position", 0) >= found["end_offset"] > 0

        began = time.monotonic()
        with forebay("consumer", port, self._settings, self._data, self._log) as process:
            seconds = until(process, caught_up, began)
            cpu, peak = process.cpu_seconds(), process.peak_memory()
            until(process, lambda: (found := row()) is not None and not found["sealing"], time.monotonic())
            samples = (row() or {})["samples"]
            process.kill()
        return Restart(seconds, cpu, peak, samples)


class Prometheus:
    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        (directory / "prometheus.yml").write_text("{}\n")

    def _start(self, port: int) -> Measured:
        return Measured(
            [
                PEERS["prometheus-3.15"].program("prometheus"),
                f"--config.file={self._directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
                "--log.level=warn",
            ],
            self._directory / "log",
        )

    def fill(self, load: Load, sent: Bodies) -> float:
        port = free_port()
        with self._start(port) as process:
            process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
            # It refuses what is out of order: a series' next sample must not overtake.
            per_scrape = load.series // load.samples_per_request
            seconds = send(port, sent, connections=max(1, min(8, per_scrape // 4))).seconds
            process.kill()
        return seconds

    def restart(self, load: Load) -> Restart:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        began = time.monotonic()
        with self._start(port) as process:
            process.wait_ready(f"{url}/-/ready", 1800)
            seconds = time.monotonic() - began
            cpu, peak = process.cpu_seconds(), process.peak_memory()
            head = (ask(f"{url}/api/v1/status/tsdb") or {})["data"]["headStats"]
            if head["numSeries"] != load.series:
                raise ValueError(f"prometheus lost series: {head}")
            process.kill()
        return Restart(seconds, cpu, peak, load.samples)


@contextlib.contextmanager
def brokers(kinds: list[str], directory: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """The `broker` section for each kind of log, of one partition."""
    with contextlib.ExitStack() as running:
        sections: dict[str, dict[str, Any]] = {}
        if "embedded" in kinds:
            sections["embedded"] = {"embedded": {"partitions": 1, "retention_bytes": "100GiB"}}
        if "kafka" in kinds:
            broker = running.enter_context(KafkaBroker(PEERS["kafka-4.1"], directory / "kafka"))
            broker.create_topic(_TOPIC, 1)
            sections["kafka"] = {
                "type": "kafka",
                "kafka": {"bootstrap_servers": broker.bootstrap, "topic": _TOPIC},
            }
        yield sections


def table(load: Load, kinds: list[Kind], repeat: int) -> None:
    runs: dict[str, list[Restart]] = {kind.name: [] for kind in kinds}
    for number in range(repeat):
        for kind in kinds:
            each = kind.restart()
            runs[kind.name].append(each)
            say(f"run {number + 1} of {repeat}, {kind.name}: {each}")
    print(f"\n{load.series:,} series x {load.scrapes} scrapes, medians of {repeat} restarts after kill -9\n")
    print("| what | samples read again | seconds until caught up | CPU-seconds | peak memory, MiB |")
    print("|---|---|---|---|---|")
    for name, restarts in runs.items():
        figures = (
            f"{statistics.median(each.samples for each in restarts):,.0f}",
            f"{statistics.median(each.seconds for each in restarts):.1f}",
            f"{statistics.median(each.cpu_seconds for each in restarts):.1f}",
            f"{statistics.median(each.peak_memory for each in restarts) / MIB:,.0f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.restart", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=250_000)
    parser.add_argument("--scrapes", type=int, default=120, help="120 at a 15 s interval are half an hour")
    parser.add_argument("--repeat", type=int, default=3, help="restarts to take the median of")
    parser.add_argument("--logs", nargs="*", choices=["embedded", "kafka"], default=["embedded", "kafka"])
    parser.add_argument("--max-bytes", nargs="*", default=[_ALL_IN_ONE_SEGMENT, "1GiB"], help="segment.max_bytes")
    options = parser.parse_args()
    load = Load(options.series, options.scrapes)
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch, contextlib.ExitStack() as running:
        directory = Path(scratch)
        sent = Bodies(directory / "bodies", load)
        say(f"load: {load.samples:,} samples in requests of {(directory / 'bodies').stat().st_size / MIB:,.0f} MiB")
        kinds = []
        for log, broker in running.enter_context(brokers(options.logs, directory)).items():
            groups = [Forebay(f"{log}-{bound}", directory, broker, bound) for bound in options.max_bytes]
            say(f"{log} filled in {groups[0].fill(sent):.0f} s")
            for bound, group in zip(options.max_bytes, groups, strict=True):
                first = group.restart()  # reads all of it, and publishes what has ended
                say(f"{log} with segments of {bound}: first start {first}")
                kinds.append(Kind(f"Forebay, {log} log, segment.max_bytes {bound}", group.restart))
        peer = Prometheus(directory / "prometheus")
        say(f"prometheus filled in {peer.fill(load, sent):.0f} s")
        kinds.append(Kind("Prometheus 3.15, its WAL", lambda: peer.restart(load)))
        table(load, kinds, options.repeat)
    return 0


if __name__ == "__main__":
    sys.exit(main())
