"""A role of Forebay as an operator starts it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import snappy

from tests.peers.process import Process, free_port
from tests.wire.messages import ReadRequest, ReadResponse

ROOT = Path(__file__).parent.parent.parent
QUICK = {"segment": {"interval": "1s", "grace": "100ms"}, "self_metrics": {"enabled": False}}


def run(*arguments: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs `forebay` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "forebay", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


class Role(Process):
    def __init__(self, role: str, directory: Path, settings: dict[str, Any] | None = None, *flags: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.data = directory / "data"
        self.settings_file = directory / f"{role}.yaml"
        self.settings_file.write_text(json.dumps(QUICK | (settings or {})))
        command = [sys.executable, "-m", "forebay", role, f"--web.listen-address=127.0.0.1:{port}"]
        command += [f"--data.dir={self.data}", f"--config.file={self.settings_file}", *flags]
        super().__init__(command, directory / f"{role}.log", {"PYTHONPATH": str(ROOT)})

    def ready(self) -> None:
        self.wait_ready(f"{self.url}/-/ready")

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask(urllib.request.Request(f"{self.url}{path}"))

    def post(self, path: str, body: bytes = b"") -> tuple[int, bytes]:
        return self._ask(urllib.request.Request(f"{self.url}{path}", body))

    def _ask(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def write(self, body: bytes) -> int:
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        request = urllib.request.Request(f"{self.url}/api/v1/write", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            status: int = answer.status
            return status

    def read(self, *, start: int, end: int, **matchers: str) -> list[dict[str, object]]:
        """Series of a remote read as {"labels": …, "samples": [(ms, value)]}; matchers are equalities."""
        request = ReadRequest()
        query = request.queries.add(start_timestamp_ms=start, end_timestamp_ms=end)
        for name, value in matchers.items():
            query.matchers.add(type=0, name=name.encode(), value=value.encode())
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        body = snappy.compress(request.SerializeToString())
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/api/v1/read", body, headers), timeout=30
        ) as answer:
            response = ReadResponse()
            response.ParseFromString(snappy.decompress(answer.read()))
        (result,) = response.results
        return [
            {
                "labels": {label.name.decode(): label.value.decode() for label in series.labels},
                "samples": [(sample.timestamp, sample.value) for sample in series.samples],
            }
            for series in result.timeseries
        ]

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get("/api/v1/status")[1])
        return document
