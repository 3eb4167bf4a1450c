"""What runs: gateways, and consumers that come and go, as processes of their own over one log and one bucket."""

import json
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.elastic.holdings import Life
from tests.peers.process import Process, free_port

ROOT = Path(__file__).parent.parent.parent
How = Literal["SIGTERM", "kill -9"]


class Member(Process):
    """A role of Forebay, logging JSON."""

    def __init__(self, role: str, name: str, directory: Path, settings: dict[str, Any]) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = directory / name
        self.ended: float | None = None
        """When it was sent the signal that ends it, in seconds since the epoch."""
        self.settings_file = directory / f"{name}.yaml"
        self.settings_file.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "forebay", role, f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--data.dir={self.data}", f"--config.file={self.settings_file}", "--log.format=json"]
        super().__init__(command, directory / f"{name}.log", {"PYTHONPATH": str(ROOT)})

    @property
    def life(self) -> Life:
        return Life(self.name, self.log, self.ended)

    def ready(self) -> None:
        self.wait_ready(f"{self.url}/-/ready")

    def status(self) -> dict[str, Any]:
        """Raises OSError where it does not answer."""
        with urllib.request.urlopen(f"{self.url}/api/v1/status", timeout=5) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return document

    def end(self, how: How) -> None:
        """Sends the signal; `reap` waits."""
        assert self.popen is not None
        self.ended = time.time()
        self.popen.send_signal(signal.SIGTERM if how == "SIGTERM" else signal.SIGKILL)

    def reap(self, timeout: float = 60) -> int:
        """The exit code of what was told to end; its disk is gone."""
        assert self.popen is not None
        code = self.popen.wait(timeout)
        shutil.rmtree(self.data, ignore_errors=True)
        return code


class Cluster:
    """A context manager that kills what still runs. `settings` is what all roles share, log and bucket included."""

    def __init__(self, directory: Path, settings: dict[str, Any], *, static: bool = False) -> None:
        """With `static`, consumers have ids by their place: the third one is always the same member of the group."""
        directory.mkdir(parents=True, exist_ok=True)
        self.gateways: list[Member] = []
        self.consumers: list[Member] = []
        """Those that were not told to end, in the order of their places."""
        self.everybody: list[Member] = []
        """Every consumer there ever was."""
        self.exit_codes: list[tuple[str, How, int]] = []
        """Of consumers that were told to end."""
        self._directory = directory
        self._settings = settings
        self._static = static

    def start_gateways(self, count: int) -> None:
        for number in range(count):
            gateway = Member("gateway", f"gateway-{number}", self._directory, self._settings)
            self.gateways.append(gateway)
            gateway.start()
            gateway.ready()  # the first one makes the topic

    def scale(self, count: int, how: How = "SIGTERM") -> float:
        """Starts consumers, or ends those of the highest places; returns when, in seconds since the epoch."""
        at = time.time()
        while len(self.consumers) < count:
            self._add()
        leaving = self.consumers[count:]
        del self.consumers[count:]
        for member in leaving:
            member.end(how)
        self.exit_codes += [(member.name, how, member.reap()) for member in leaving]
        return at

    def restart(self, how: How = "SIGTERM") -> float:
        """Ends the consumer of the highest place and starts another there at once; returns when it was ended."""
        at = time.time()
        leaving = self.consumers[-1]
        leaving.end(how)
        self.exit_codes.append((leaving.name, how, leaving.reap()))
        self.consumers.pop()
        self._add()
        return at

    def lives(self) -> list[Life]:
        return [member.life for member in self.everybody]

    def wait_published(self, timeout: float = 180) -> None:
        """Until every record of the log lies in a published segment; nothing may be writing."""

        def published() -> bool:
            rows = self.consumers[0].status()["partitions"]
            return all((row["manifest_end"] or 0) >= row["end_offset"] for row in rows)

        wait_until(published, "all is published", timeout)

    def _add(self) -> None:
        place, number = len(self.consumers), len(self.everybody)
        settings = self._settings
        if self._static:
            settings = settings | {"consumer": {**settings.get("consumer", {}), "member": f"consumer-{place}"}}
        member = Member("consumer", f"consumer-{number}", self._directory, settings)
        member.start()
        self.consumers.append(member)
        self.everybody.append(member)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in [*self.consumers, *self.gateways]:
            member.kill()


def wait_until(condition: Callable[[], bool], what: str, timeout: float, every: float = 0.3) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if condition():
                return
        except OSError:
            pass  # not up yet, or just gone
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not after {timeout} s")
        time.sleep(every)
