"""What a sample costs on Kafka, by who pays: `python -m bench.broker`.

One broker without replicas, a gateway that fills its topic, and then a consumer that reads it to the end and publishes
it: user and system CPU of each, and the log's bytes on disk.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.load import Load, bodies
from bench.process import forebay
from bench.restart import ask, until
from bench.send import send
from tests.peers.kafka import KafkaBroker
from tests.peers.process import free_port
from tests.peers.recipes import PEERS

_TOPIC = "bench"
_PARTITIONS = 16


class Costs(NamedTuple):
    """CPU in microseconds a sample; bytes a sample."""

    gateway: float
    consumer: float
    broker_write: float
    broker_read: float
    log_bytes: float


def measure(load: Load, version: int, directory: Path) -> Costs:
    """Of one broker that begins empty."""
    with KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as broker:
        broker.create_topic(_TOPIC, _PARTITIONS)
        server = psutil.Process(broker.pid)
        settings = directory / "forebay.yaml"
        document: dict[str, Any] = {
            "broker": {
                "type": "kafka",
                "kafka": {"bootstrap_servers": broker.bootstrap, "topic": _TOPIC},
                "record_version": version,
            },
            "bucket": {"type": "FILESYSTEM", "config": {"directory": str(directory / "bucket")}},
            "segment": {"interval": "1s", "grace": "1s"},
            "self_metrics": {"enabled": False},
        }
        settings.write_text(json.dumps(document))
        port = free_port()
        with forebay("gateway", port, settings, directory / "data", directory / "gateway.log") as gateway:
            gateway.wait_ready(f"http://127.0.0.1:{port}/-/ready")
            ready, idle = gateway.cpu_seconds(), _cpu(server)
            send(port, list(bodies(load, time.time_ns() // 1_000_000)))
            wrote, filled = gateway.cpu_seconds() - ready, _cpu(server)
            gateway.stop()
        stored = sum(file.stat().st_size for file in (directory / "kafka").rglob(f"{_TOPIC}-*/*.log"))
        port = free_port()
        status = f"http://127.0.0.1:{port}/api/v1/status"

        def published() -> bool:
            rows = (ask(status) or {}).get("partitions", [])
            return len(rows) == _PARTITIONS and not any(row["unpublished"] for row in rows)

        with forebay("consumer", port, settings, directory / "data", directory / "consumer.log") as consumer:
            consumer.wait_ready(f"http://127.0.0.1:{port}/-/healthy")
            ready, before = consumer.cpu_seconds(), _cpu(server)
            until(consumer, published, time.monotonic())
            read, after = consumer.cpu_seconds() - ready, _cpu(server)
    micros = [1e6 * seconds / load.samples for seconds in (wrote, read, filled - idle, after - before)]
    return Costs(micros[0], micros[1], micros[2], micros[3], stored / load.samples)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.broker", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=40)
    parser.add_argument("--record-version", type=int, choices=[1, 2], default=1)
    parser.add_argument("--repeat", type=int, default=3, help="runs to take the medians of")
    options = parser.parse_args()
    load = Load(options.series, options.scrapes)
    runs = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
            runs.append(measure(load, options.record_version, Path(scratch)))
        print(runs[-1], file=sys.stderr, flush=True)
    print(
        f"\n{load.series:,} series x {load.scrapes} scrapes, record version {options.record_version}, "
        f"medians of {options.repeat} runs\n"
    )
    print("| gateway | consumer | broker, written to | broker, read from | log, bytes a sample |")
    print("|---|---|---|---|---|")
    print(f"| {' | '.join(f'{statistics.median(each):.2f}' for each in zip(*runs, strict=True))} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
