"""A real vmagent: scrapes, sends, and buffers on its disk what cannot be sent."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.peers.process import PeerError, Process, free_port
from tests.peers.recipes import Recipe


class VmAgent(Process):
    def __init__(self, recipe: Recipe, directory: Path, url: str, settings: dict[str, Any], *flags: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._scrapes = directory / "scrape.yml"
        self._scrapes.write_text(json.dumps(settings))
        super().__init__(
            [
                recipe.program("vmagent"),
                f"-httpListenAddr=127.0.0.1:{self.port}",
                f"-promscrape.config={self._scrapes}",
                "-promscrape.configCheckInterval=1s",
                f"-remoteWrite.url={url}",
                f"-remoteWrite.tmpDataPath={directory / 'queue'}",
                *flags,
            ],
            directory / "log",
        )

    def configure(self, settings: dict[str, Any]) -> None:
        """Taken within a second or two."""
        self._scrapes.write_text(json.dumps(settings))

    def metrics(self, prefix: str) -> dict[str, float]:
        """Its own metrics whose names begin with `prefix`, with their labels as they are printed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        rows = (line.rpartition(" ") for line in lines if line.startswith(prefix))
        return {name: float(value) for name, _, value in rows}

    def wait_sent(self, timeout: float = 60) -> None:
        """Until nothing waits any more; raises PeerError where the time is up."""
        deadline = time.monotonic() + timeout
        quiet = 0
        before = -1.0
        while time.monotonic() < deadline:
            sent = sum(self.metrics("vmagent_remotewrite_rows_pushed_after_relabel_total").values())
            waiting = sum(self.metrics("vmagent_remotewrite_pending").values())
            quiet = quiet + 1 if not waiting and sent == before else 0
            before = sent
            if quiet == 8:
                return
            time.sleep(0.5)
        raise PeerError(f"vmagent did not drain:\n{self.tail()}")
