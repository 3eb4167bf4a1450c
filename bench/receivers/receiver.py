"""What every receiver under measurement has in common: how it is started, met, waited for, and what it costs."""

import contextlib
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.process import Measured

ANSWER_SECONDS = 600


class Receiver(ABC):
    """One receiver in a directory of its own, with nothing stored before."""

    name: str
    write_path = "/api/v1/write"
    tenant_header = ""
    """Names a request's tenant; empty where there are none."""
    stored_as: str
    """What `finish` waits for."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.processes: list[Measured] = []

    @property
    @abstractmethod
    def ports(self) -> Sequence[int]:
        """Where requests go, in turn."""

    @abstractmethod
    def running(self) -> contextlib.AbstractContextManager[None]:
        """Ready when entered, gone when left."""

    def settle(self) -> None:  # noqa: B027 - most need nothing of the kind
        """Returns when it is a good moment to begin."""

    def caught_up(self) -> None:  # noqa: B027 - as above
        """Returns when all that was acknowledged is in memory, where it takes another way there than through it."""

    @abstractmethod
    def finish(self) -> None:
        """Returns when all that was acknowledged is stored as `stored_as` says. Once only; nothing is sent after it."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """Of all that stays, index included, once finished."""

    def log_bytes(self) -> int:
        """Of what was written before the acknowledgement, as it is on disk; 0 where it cannot be told apart."""
        return 0

    def cpu_seconds(self) -> float:
        """Of its own processes."""
        return sum(process.cpu_seconds() for process in self.processes)

    def foreign_cpu_seconds(self) -> Mapping[str, float]:
        """Of the services that it needs, by name, since they were started."""
        return {}

    def memory(self) -> int:
        return sum(process.memory() for process in self.processes)

    def peak_memory(self) -> int:
        return sum(process.peak_memory() for process in self.processes)

    def check_runs(self) -> None:
        """Raises PeerError where one of its processes has ended."""
        for process in self.processes:
            process.check_runs()


@contextlib.contextmanager
def started(receiver: Receiver, processes: Mapping[Measured, str]) -> Iterator[None]:
    """Starts these, each with the URL that answers 200 when it is ready."""
    with contextlib.ExitStack() as running:
        for process in processes:
            receiver.processes.append(running.enter_context(process))
        for process, url in processes.items():
            process.wait_ready(url, 120)
        yield


def post(url: str) -> bytes:
    """What it answers; raises OSError, with the answer, where it is not 2xx."""
    request = urllib.request.Request(url, data=b"", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read()[:500]!r}") from error


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
        data: bytes = answer.read()
        return data


def size_of(*roots: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for root in roots for path in root.rglob("*") if path.is_file())


def block_bytes(root: Path) -> int:
    """Bytes of all Prometheus blocks at any depth, index included."""
    return sum(size_of(meta.parent) for meta in root.rglob("meta.json"))
