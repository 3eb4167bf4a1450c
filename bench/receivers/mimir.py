import contextlib
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from bench.process import Measured
from bench.receivers.receiver import Receiver, block_bytes, get, post, size_of, started
from bench.receivers.services import Services
from tests.peers.process import free_port
from tests.peers.recipes import BENCH_PEERS

_ACTIVE = re.compile(rb'\ncortex_partition_ring_partitions\{[^}]*state="Active"\} 1\n')
_ACTIVE_SECONDS = 60


class Mimir(Receiver):
    """A distributor and an ingester in one process: with ingest storage on Kafka, or classic where there is none."""

    write_path = "/api/v1/push"
    tenant_header = "X-Scope-OrgID"
    stored_as = "blocks in the bucket, flushed by its API"

    def __init__(self, directory: Path, services: Services | None = None) -> None:
        super().__init__(directory)
        self.name = "Mimir 2026-04-23, " + ("ingest storage on Kafka" if services else "classic")
        self._services = services
        self._port, self._grpc, self._gossip = free_port(), free_port(), free_port()
        # One ingester reads one partition.
        self._topic = self._create_topic(services) if services else ""

    @property
    def ports(self) -> tuple[int]:
        return (self._port,)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        process = Measured([BENCH_PEERS["mimir"].program("mimir"), *self._flags()], self.directory / "log")
        with started(self, {process: f"http://127.0.0.1:{self._port}/ready"}):
            if self._services:
                self._wait_for_partition()
            yield
        if self._services:
            self._services.broker.delete_topic(self._topic)

    def finish(self) -> None:
        """Waits for the ingester to have read all of the topic too: a flush reads to its end first."""
        post(f"http://127.0.0.1:{self._port}/ingester/flush?wait=true")

    def foreign_cpu_seconds(self) -> dict[str, float]:
        return {"broker": self._services.cpu_seconds()["broker"]} if self._services else {}

    def stored_bytes(self) -> int:
        return block_bytes(self.directory / "bucket")

    def log_bytes(self) -> int:
        if self._services:
            return self._services.topic_bytes(self._topic)
        return sum(size_of(wal) for wal in (self.directory / "tsdb").glob("*/wal"))

    def _wait_for_partition(self) -> None:
        """Ready, it refuses writes until its ingester's partition has become active."""
        deadline = time.monotonic() + _ACTIVE_SECONDS
        while not _ACTIVE.search(get(f"http://127.0.0.1:{self._port}/metrics")):
            self.check_runs()
            if time.monotonic() > deadline:
                raise TimeoutError("mimir has no active partition")
            time.sleep(0.2)

    @staticmethod
    def _create_topic(services: Services) -> str:
        # Its records may be of 16 MB.
        return services.broker.create_topic(f"mimir-{secrets.token_hex(4)}", 1, max_message_bytes=16_000_000)

    def _flags(self) -> list[str]:
        flags = [
            "-target=distributor,ingester",
            "-auth.multitenancy-enabled=true",
            "-usage-stats.enabled=false",
            "-log.level=warn",
            "-server.http-listen-address=127.0.0.1",
            f"-server.http-listen-port={self._port}",
            "-server.grpc-listen-address=127.0.0.1",
            f"-server.grpc-listen-port={self._grpc}",
            "-memberlist.bind-addr=127.0.0.1",
            f"-memberlist.bind-port={self._gossip}",
            "-ingester.ring.instance-id=ingester-0",
            "-ingester.ring.instance-addr=127.0.0.1",
            "-ingester.ring.replication-factor=1",
            "-ingester.ring.min-ready-duration=0s",
            "-distributor.ring.instance-addr=127.0.0.1",
            "-distributor.ingestion-rate-limit=100000000",
            "-distributor.ingestion-burst-size=100000000",
            "-ingester.max-global-series-per-user=0",
            "-validation.max-label-names-per-series=100",
            f"-blocks-storage.tsdb.dir={self.directory / 'tsdb'}",
            "-blocks-storage.backend=filesystem",
            f"-blocks-storage.filesystem.dir={self.directory / 'bucket'}",
        ]
        if self._services:
            flags += [
                "-ingest-storage.enabled=true",
                f"-ingest-storage.kafka.address={self._services.broker.bootstrap}",
                f"-ingest-storage.kafka.topic={self._topic}",
                "-ingest-storage.kafka.auto-create-topic-enabled=false",
                "-ingester.ring.num-tokens=0",
                "-ingester.push-grpc-method-enabled=false",
                "-ingester.partition-ring.min-partition-owners-duration=1s",
            ]
        else:
            flags += ["-ingest-storage.enabled=false", "-ingester.push-grpc-method-enabled=true"]
        return flags
