"""One role of Forebay as a process that may be killed, frozen and started again, at one address, in one directory."""

import json
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from forebay.exit_codes import OK, START_FAILED
from tests.e2e.forebay import ROOT
from tests.peers.process import PeerError, Process, free_port

_STOP_SECONDS = 60


class Role(Process):
    """Whoever holds `turn` decides about its life; `supervise` looks after it in between, as an orchestrator would."""

    def __init__(self, name: str, role: str, settings: dict[str, Any], directory: Path, build: str = "forebay") -> None:
        """`build` is the module that stands for the command: the product, or one of `tests.chaos.broken`."""
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = directory / name
        self.settings_file = directory / f"{name}.yaml"
        self.settings_file.write_text(json.dumps(settings))
        self.turn = threading.Lock()
        self.problems: list[str] = []
        self.failed_starts = 0
        self._wanted = False
        self._starts_seen = 0
        super().__init__(
            [
                sys.executable,
                "-m",
                build,
                role,
                f"--config.file={self.settings_file}",
                f"--data.dir={self.data}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            directory / f"{name}.log",
            {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
        )

    def start(self) -> "Role":
        self._wanted = True
        self._starts_seen = self.seen("msg=starting")
        super().start()
        return self

    def ready(self, timeout: float = 180) -> None:
        self.wait_ready(f"{self.url}/-/ready", timeout)

    def kill(self) -> None:
        """SIGKILL, frozen or not."""
        self._wanted = False
        super().kill()

    def end(self) -> None:
        """SIGTERM; that it ends late or with another code than 0 is a problem."""
        self._wanted = False
        try:
            code = self.stop(_STOP_SECONDS)
        except PeerError:
            self.problems.append(f"{self.name} did not end within {_STOP_SECONDS} s of SIGTERM:\n{self.tail()}")
            return
        too_early = code == -signal.SIGTERM and self.seen("msg=starting") == self._starts_seen
        if code != OK and not too_early:
            self.problems.append(f"{self.name} ended with {code} on SIGTERM:\n{self.tail()}")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Its local disk is gone, under its feet or while it is down."""
        shutil.rmtree(self.data, ignore_errors=True)

    def supervise(self) -> None:
        """Starts it again where it ended unasked: a start that failed may, and anything else is a problem."""
        if not self.turn.acquire(blocking=False):
            return
        try:
            code = self.popen.poll() if self._wanted and self.popen is not None else None
            if code is None:
                return
            if code == START_FAILED:
                self.failed_starts += 1
            else:
                self.problems.append(f"{self.name} ended by itself with {code}:\n{self.tail()}")
            self.start()
        finally:
            self.turn.release()

    def tracebacks(self) -> int:
        """In its log: there is no weather in which a bug may show."""
        return self.seen("Traceback (most recent call last)")

    def seen(self, message: str) -> int:
        """How often its log says so."""
        return self.log.read_text(errors="replace").count(message) if self.log.exists() else 0

    def _signal(self, number: signal.Signals) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(number)
