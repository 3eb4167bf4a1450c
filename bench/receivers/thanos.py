import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.process import Measured
from bench.receivers.receiver import Receiver, block_bytes, size_of, started
from tests.peers.process import free_port
from tests.peers.recipes import BENCH_PEERS


class ThanosReceive(Receiver):
    """`copies` receivers that each route and ingest, with this replication factor among them."""

    write_path = "/api/v1/receive"
    tenant_header = "THANOS-TENANT"
    stored_as = "blocks in the bucket, which ending it (SIGTERM) flushes"

    def __init__(self, directory: Path, copies: int = 1) -> None:
        super().__init__(directory)
        self.name = "Thanos Receive 0.42.3" + (f", RF {copies}" if copies > 1 else "")
        self._write = [free_port() for _ in range(copies)]
        self._grpc = [free_port() for _ in range(copies)]
        self._bucket = directory / "bucket"

    @property
    def ports(self) -> Sequence[int]:
        return self._write

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with started(self, dict(self._receiver(number) for number in range(len(self._write)))):
            yield

    def finish(self) -> None:
        for process in self.processes:
            process.end()

    def stored_bytes(self) -> int:
        return block_bytes(self._bucket)

    def log_bytes(self) -> int:
        return sum(size_of(wal) for wal in self.directory.glob("tsdb-*/*/wal"))

    def _receiver(self, number: int) -> tuple[Measured, str]:
        http, capnproto = free_port(), free_port()
        endpoints = [f"127.0.0.1:{port}" for port in self._grpc]
        bucket = {"type": "FILESYSTEM", "config": {"directory": str(self._bucket)}}
        command: list[str | Path] = [
            BENCH_PEERS["thanos"].program("thanos"),
            "receive",
            f"--tsdb.path={self.directory / f'tsdb-{number}'}",
            f'--label=receive_replica="{number}"',
            f"--http-address=127.0.0.1:{http}",
            f"--grpc-address={endpoints[number]}",
            f"--remote-write.address=127.0.0.1:{self._write[number]}",
            f"--receive.capnproto-address=127.0.0.1:{capnproto}",
            f"--receive.local-endpoint={endpoints[number]}",
            f"--receive.hashrings={json.dumps([{'endpoints': endpoints}])}",
            "--receive.hashrings-algorithm=ketama",
            f"--receive.replication-factor={len(endpoints)}",
            f"--objstore.config={json.dumps(bucket)}",
            "--http-grace-period=1s",
            "--grpc-grace-period=1s",
            "--no-enable-auto-gomemlimit",
            "--log.level=warn",
        ]
        return Measured(command, self.directory / f"log-{number}"), f"http://127.0.0.1:{http}/-/ready"
