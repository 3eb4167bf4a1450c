"""The broker and the object store that receivers need, one of each for all of them in turn, and what these cost."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import Measured, cpu_seconds
from tests.bucket.s3_servers import ACCESS_KEY, SECRET_KEY, S3Server
from tests.peers.kafka import KafkaBroker
from tests.peers.process import free_port
from tests.peers.recipes import PEERS


@dataclass(frozen=True)
class Services:
    broker: KafkaBroker
    store: Measured
    s3: S3Server
    directory: Path

    def cpu_seconds(self) -> dict[str, float]:
        return {"broker": cpu_seconds(self.broker.pid), "object store": self.store.cpu_seconds()}

    def topic_bytes(self, topic: str) -> int:
        """Of its records as they are on disk, compressed."""
        logs = (self.directory / "kafka" / "data").glob(f"{topic}-*/*.log")
        return sum(path.stat().st_size for path in logs)

    def bucket(self, name: str) -> Path:
        """Where the store keeps it."""
        return self.directory / "s3" / name

    def bucket_settings(self, name: str) -> dict[str, Any]:
        return {"type": "S3", "config": self.s3.config(name)}


@contextlib.contextmanager
def services(directory: Path) -> Iterator[Services]:
    """Kafka 4.1 and versitygw, on the file system below `directory`."""
    buckets, port = directory / "s3", free_port()
    buckets.mkdir(parents=True)
    store = Measured(
        [
            PEERS["versitygw"].program("versitygw"),
            *("--port", f"127.0.0.1:{port}", "--health", "/health"),
            *("posix", buckets),
        ],
        directory / "s3.log",
        {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
    )
    with KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as broker, store:
        s3 = S3Server(f"127.0.0.1:{port}")
        store.wait_ready(f"{s3.url}/health")
        yield Services(broker, store, s3, directory)
