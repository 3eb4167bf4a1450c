"""A program under measurement: its CPU seconds and memory, by the kernel's own accounting."""

import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.peers.process import Process

MIB = 1 << 20


class Measured(Process):
    """`Process` with a meter. Children count too."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        super().__init__(command, log)

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time since the start."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self._family()))

    def memory(self) -> int:
        """Resident bytes now."""
        return sum(process.memory_info().rss for process in self._family())

    def peak_memory(self) -> int:
        """The highest resident bytes since the start."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


def forebay(role: str, port: int, settings: Path, data: Path, log: Path) -> Measured:
    """One role of Forebay, as an operator starts it."""
    return Measured(
        [
            sys.executable,
            "-m",
            "forebay",
            role,
            f"--config.file={settings}",
            f"--data.dir={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warning",
        ],
        log,
    )
