"""The runs: each starts what it measures anew, gives it the load, and returns its figures."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contest import run
from bench.load import SCRAPE_INTERVAL_MS, Load
from bench.process import forebay
from bench.receivers.victoria_metrics import VictoriaMetrics
from bench.send import HEADERS, Sent, send
from tests.peers.process import free_port


@dataclass(frozen=True)
class Figures:
    """What one run cost; CPU without the start of the process."""

    samples: int
    cpu_seconds: float
    wall_seconds: float
    memory_ready: int
    memory_full: int
    memory_peak: int
    sent: Sent | None = None
    stored_bytes: int = 0

    @property
    def rate(self) -> float:
        """Samples per CPU-second."""
        return self.samples / self.cpu_seconds


@contextlib.contextmanager
def workplace(interval: int, **more: Any) -> Iterator[tuple[Path, Path]]:
    """A settings file with this `segment.interval` in seconds and `more`, and a data directory; both vanish."""
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        settings = Path(scratch) / "forebay.yaml"
        chosen = {"segment": {"interval": f"{interval}s", "grace": "1s"}, "self_metrics": {"enabled": False}}
        settings.write_text(json.dumps(chosen | more))
        yield settings, Path(scratch) / "data"


def wait_for_slot(interval: int) -> None:
    """Until a slot of `segment.interval` seconds has just begun, and the grace of the one before is over."""
    time.sleep(interval - time.time() % interval + 1.5)


def _status(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=60) as answer:
        body: dict[str, Any] = json.loads(answer.read())
        return body


def _wait(port: int, field: str, seconds: float = 900) -> None:
    """Until every partition's `field` has reached the log's end."""
    deadline = time.monotonic() + seconds
    while any((row[field] or 0) < row["end_offset"] for row in _status(port)["partitions"]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{field} did not reach the end of the log: {_status(port)['partitions']}")
        time.sleep(0.2)


def wait_for_blocks(port: int) -> None:
    """Until everything in the log is in published blocks."""
    _wait(port, "manifest_end")


def _block_bytes(bucket: Path) -> int:
    return sum(path.stat().st_size for path in bucket.glob("[0-9A-Z]*/**/*") if path.is_file())


def gateway(
    load: Load, bodies: Sequence[bytes], settings: Path, data: Path, headers: Mapping[str, str] = HEADERS
) -> Figures:
    """Socket to log: `forebay gateway` alone, every request acknowledged after its commit was synced."""
    port = free_port()
    with forebay("gateway", port, settings, data, data.parent / "gateway.log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        ready, before = process.memory(), process.cpu_seconds()
        sent = send(port, bodies, headers=headers)
        cpu = process.cpu_seconds() - before
        figures = Figures(load.samples, cpu, sent.seconds, ready, process.memory(), process.peak_memory(), sent)
        process.stop()
    return figures


def start_cost(role: str, settings: Path, data: Path) -> float:
    """CPU seconds that a role needs until it is ready with nothing to do, on a new and empty log."""
    port = free_port()
    with forebay("gateway", port, settings, data, data.parent / "maker.log") as maker:
        maker.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        maker.stop()
    with forebay(role, port, settings, data, data.parent / "start.log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        cost = process.cpu_seconds()
        process.kill()
    return cost


def consumer(load: Load, settings: Path, data: Path, started: float) -> Figures:
    """Log to published blocks: `forebay consumer` over a log that is full already. `started` is its own start's CPU."""
    port = free_port()
    began = time.monotonic()
    with forebay("consumer", port, settings, data, data.parent / "consumer.log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        ready = process.memory()
        wait_for_blocks(port)
        cpu, wall = process.cpu_seconds() - started, time.monotonic() - began
        figures = Figures(
            load.samples,
            cpu,
            wall,
            ready,
            process.memory(),
            process.peak_memory(),
            stored_bytes=_block_bytes(data / "bucket"),
        )
        process.stop()
    return figures


def replay(settings: Path, data: Path) -> float:
    """Seconds of `forebay replay` over that log, with nothing left in the bucket; its start counts."""
    for left in (data / "bucket").iterdir():
        if not left.name.startswith("."):
            shutil.rmtree(left)
    command = [sys.executable, "-m", "forebay", "replay", f"--config.file={settings}", f"--data.dir={data}"]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def end_to_end(load: Load, bodies: Sequence[bytes], settings: Path, data: Path) -> Figures:
    """Socket to published blocks: `forebay all-in-one`, from the first request until everything is in the bucket."""
    port = free_port()
    with forebay("all-in-one", port, settings, data, data.parent / "all-in-one.log") as process:
        process.wait_ready(f"http://127.0.0.1:{port}/-/ready")
        ready, before = process.memory(), process.cpu_seconds()
        sent = send(port, bodies)
        _wait(port, "position")
        full = process.memory()
        wait_for_blocks(port)
        figures = Figures(
            load.samples,
            process.cpu_seconds() - before,
            sent.seconds,
            ready,
            full,
            process.peak_memory(),
            sent,
            _block_bytes(data / "bucket"),
        )
        process.stop()
    return figures


def victoria_metrics(load: Load, bodies: Sequence[bytes], directory: Path) -> Figures:
    """The peer under the same load, until its data is flushed to parts."""
    peer = run(VictoriaMetrics(directory), load, bodies)
    memory = peer.memory_ready, peer.memory_full, peer.memory_peak
    return Figures(load.samples, peer.cpu_seconds, peer.sent.seconds, *memory, peer.sent, peer.stored_bytes)


def times_real_time(load: Load, seconds: float) -> float:
    """How much faster than it happened a full log is replayed, at the load's scrape interval."""
    return load.scrapes * SCRAPE_INTERVAL_MS / 1000 / seconds
