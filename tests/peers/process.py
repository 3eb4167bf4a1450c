"""A real program beside the test: its own directory, its own log, always ended."""

import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_HANDED_OUT: set[int] = set()


def free_port() -> int:
    """A TCP port that nothing listens on now, and that no other test of this run was given."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _HANDED_OUT:
            _HANDED_OUT.add(port)
            return port


class PeerError(Exception):
    """A peer did not do what the test needs; the message ends with the tail of its log."""


class Process:
    """Runs a command with its output in `log`; a context manager that ends it with SIGTERM, then SIGKILL."""

    def __init__(self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._environment = os.environ | (environment or {})
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as sink:
            self.popen = subprocess.Popen(
                self.command, stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._environment
            )
        return self

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def wait_ready(self, url: str, timeout: float = 60, ca_file: Path | None = None) -> None:
        """Until `url` answers 200; raises PeerError with the log where the process ends or the time is up."""
        context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check_runs()
            try:
                with urllib.request.urlopen(url, timeout=2, context=context) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.1)
        raise PeerError(f"{url} did not answer within {timeout} s:\n{self.tail()}")

    def check_runs(self) -> None:
        """Raises PeerError with the log where it has ended."""
        assert self.popen is not None
        if self.popen.poll() is not None:
            raise PeerError(f"{self.command[0]} ended with {self.popen.returncode}:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and does nothing."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT; nothing to one that was not paused."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM, and the exit code; SIGKILL and PeerError where it does not end in time."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            self.resume()  # a paused one would not see it
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise PeerError(f"{self.command[0]} did not end on SIGTERM:\n{self.tail()}") from error

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
