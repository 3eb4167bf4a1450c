"""A program under measurement: its CPU seconds and memory, by the kernel's own accounting."""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil

from tests.peers.process import PeerError, Process

KIB, MIB = 1 << 10, 1 << 20


class Measured(Process):
    """`Process` with a meter. Children count too."""

    _ended: resource.struct_rusage | None = None

    def cpu_seconds(self) -> float:
        """User and system time since the start; of one that `end` has ended, in all."""
        if self._ended:
            return self._ended.ru_utime + self._ended.ru_stime
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Resident bytes now."""
        return sum(process.memory_info().rss for process in _family(self.pid))

    def peak_memory(self) -> int:
        """The highest resident bytes since the start, of each process by itself."""
        if self._ended:
            return self._ended.ru_maxrss * KIB
        return sum(_peak(process.pid) for process in _family(self.pid))

    def end(self, timeout: float = 120) -> None:
        """SIGTERM, and what it cost to the very end. PeerError where it does not end in time, or not with 0."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                raise PeerError(f"{self.command[0]} did not end within {timeout} s of SIGTERM:\n{self.tail()}")
            time.sleep(0.05)
        self._ended = usage
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        if self.popen.returncode:
            raise PeerError(f"{self.command[0]} ended with {self.popen.returncode} on SIGTERM:\n{self.tail()}")


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process and its children since their start."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in _family(pid)))


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * KIB


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
