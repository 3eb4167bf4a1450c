import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from bench.process import Measured
from bench.receivers.receiver import Receiver, get, size_of, started
from tests.peers.process import free_port
from tests.peers.recipes import PEERS

_SETTLE_SECONDS = 3.0


class VictoriaMetrics(Receiver):
    name = "VictoriaMetrics 1.79"
    stored_as = "its own parts"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._port = free_port()
        self._data = directory / "data"

    @property
    def ports(self) -> tuple[int]:
        return (self._port,)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        process = Measured(
            [
                PEERS["victoria-metrics"].program("victoria-metrics"),
                f"-storageDataPath={self._data}",
                f"-httpListenAddr=127.0.0.1:{self._port}",
                "-retentionPeriod=12",
                "-loggerLevel=WARN",
            ],
            self.directory / "log",
        )
        with started(self, {process: f"http://127.0.0.1:{self._port}/health"}):
            yield

    def finish(self) -> None:
        """Flushed to parts; merges that this starts are given a moment."""
        get(f"http://127.0.0.1:{self._port}/internal/force_flush")
        time.sleep(_SETTLE_SECONDS)

    def stored_bytes(self) -> int:
        return size_of(self._data / "data", self._data / "indexdb")
