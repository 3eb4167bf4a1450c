import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from bench.process import Measured
from bench.receivers.receiver import Receiver, block_bytes, post, size_of, started
from tests.peers.process import free_port
from tests.peers.recipes import PEERS


class Prometheus(Receiver):
    name = "Prometheus 3.15"
    stored_as = "a block, by the snapshot of its admin API"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._port = free_port()
        self._data = directory / "data"
        self._snapshot = self._data

    @property
    def ports(self) -> tuple[int]:
        return (self._port,)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        (self.directory / "prometheus.yml").write_text("{}\n")
        process = Measured(
            [
                PEERS["prometheus-3.15"].program("prometheus"),
                f"--config.file={self.directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._data}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--web.enable-remote-write-receiver",
                "--web.enable-admin-api",
                "--log.level=warn",
            ],
            self.directory / "log",
        )
        with started(self, {process: f"http://127.0.0.1:{self._port}/-/ready"}):
            yield

    def finish(self) -> None:
        """Its head becomes a block after three hours only; a snapshot writes the same block now."""
        answer = json.loads(post(f"http://127.0.0.1:{self._port}/api/v1/admin/tsdb/snapshot"))
        self._snapshot = self._data / "snapshots" / answer["data"]["name"]

    def blocks(self) -> list[Path]:
        """Of the snapshot."""
        return [meta.parent for meta in self._snapshot.rglob("meta.json")]

    def stored_bytes(self) -> int:
        return block_bytes(self._snapshot)

    def log_bytes(self) -> int:
        return size_of(self._data / "wal")
