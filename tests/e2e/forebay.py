"""The real `forebay`, in any of its roles, as an operator starts it."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.peers.process import PeerError, Process, free_port

ROOT = Path(__file__).parent.parent.parent


class ForebayServer(Process):
    """`settings` is the settings file; the data lies in `directory`/data."""

    def __init__(self, directory: Path, settings: dict[str, Any], *flags: str, role: str = "all-in-one") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = directory / "data"
        self.bucket = self.data / "bucket"
        self.settings_file = directory / "forebay.yaml"
        self.settings_file.write_text(json.dumps(settings))
        super().__init__(
            [
                sys.executable,
                "-m",
                "forebay",
                role,
                f"--config.file={self.settings_file}",
                f"--data.dir={self.data}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                *flags,
            ],
            directory / "log",
            {"PYTHONPATH": str(ROOT)},
        )

    def ready(self) -> None:
        self.wait_ready(f"{self.url}/-/ready")

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/api/v1/status", timeout=10) as answer:
            body: dict[str, Any] = json.loads(answer.read())
            return body

    def metrics(self, prefix: str) -> dict[str, float]:
        """Its own metrics whose names begin with `prefix`, with their labels as they are printed."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        rows = (line.rpartition(" ") for line in lines if line.startswith(prefix))
        return {name: float(value) for name, _, value in rows}

    def wait_published(self, timeout: float = 120) -> None:
        """Until every record of the log lies in a published segment; nothing may be writing."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            partitions = self.status()["partitions"]
            if all(row["manifest_end"] == row["end_offset"] for row in partitions):
                return
            time.sleep(0.3)
        raise PeerError(f"segments were not published:\n{self.status()}\n{self.tail()}")


def audit(settings_file: Path, data: Path, *flags: str) -> tuple[int, str]:
    """Runs `forebay audit`; its exit code and all it printed."""

    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "forebay",
            "audit",
            f"--config.file={settings_file}",
            f"--data.dir={data}",
            *flags,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr
