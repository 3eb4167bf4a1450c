"""A real server under attack: its memory, and a good client whose life must go on."""

from pathlib import Path

from tests.e2e.forebay import ForebayServer
from tests.faults.client import Client, until

MIB = 1 << 20
ALLOWED = 400 * MIB


class Watched:
    """A server with default bounds, its memory, and a good client beside the hostile one."""

    def __init__(self, server: ForebayServer) -> None:
        self.server = server
        self.good = Client(server.url, "good")
        self.bad = Client(server.url, "mallory")
        self.baseline = 0

    def resident(self, name: str) -> int:
        for line in Path(f"/proc/{self.server.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    def forget_peak(self) -> None:
        Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")

    def assert_well(self) -> None:
        assert self.server.popen is not None
        assert self.server.popen.poll() is None, self.server.tail()
        answer = self.good.send(series=3)
        assert answer.status == 204, answer
        until(lambda: self.good.read() == self.good.promised, "what was written is read, and nothing else")
