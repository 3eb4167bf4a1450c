"""A real Prometheus server: scraping, sending, reading, taking snapshots of what it holds."""

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.peers.process import PeerError, Process, free_port
from tests.peers.recipes import Recipe

FEATURES_242 = "--enable-feature=native-histograms,exemplar-storage"
FEATURES_315 = "--enable-feature=exemplar-storage"


class PrometheusServer(Process):
    """Keeps its configuration in `directory`/prometheus.yml; `configure` may be called again while it runs."""

    def __init__(self, recipe: Recipe, directory: Path, *flags: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = directory / "data"
        self._file = directory / "prometheus.yml"
        self._file.write_text("{}\n")
        super().__init__(
            [
                recipe.program("prometheus"),
                f"--config.file={self._file}",
                f"--storage.tsdb.path={self.data}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-admin-api",
                "--web.enable-lifecycle",
                "--web.console.templates=/nonexistent",
                "--web.console.libraries=/nonexistent",
                *flags,
            ],
            directory / "log",
        )

    def configure(self, settings: dict[str, Any]) -> None:
        """Writes the settings (JSON is YAML), and has a running server take them."""
        self._file.write_text(json.dumps(settings))
        if self.popen is not None:
            self._call("/-/reload", method="POST")

    def ready(self) -> None:
        self.wait_ready(f"{self.url}/-/ready")

    def _call(self, path: str, *, method: str = "GET") -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method), timeout=60) as answer:
            body: bytes = answer.read()
            return body

    def snapshot(self) -> Path:
        """Blocks of all that the server holds, the open head too."""
        answer = json.loads(self._call("/api/v1/admin/tsdb/snapshot", method="POST"))
        name: str = answer["data"]["name"]
        return self.data / "snapshots" / name

    def query_range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
        answer = json.loads(self._call(f"/api/v1/query_range?{parameters}"))
        result: list[dict[str, Any]] = answer["data"]["result"]
        return sorted(result, key=lambda series: json.dumps(series["metric"], sort_keys=True))

    def series(self, match: str, start: float, end: float) -> list[dict[str, str]]:
        parameters = urllib.parse.urlencode({"match[]": match, "start": start, "end": end})
        answer: list[dict[str, str]] = json.loads(self._call(f"/api/v1/series?{parameters}"))["data"]
        return answer

    def metrics(self, prefix: str) -> dict[str, float]:
        """The server's own metrics whose names begin with `prefix`, summed over their labels."""
        found: dict[str, float] = {}
        for line in self._call("/metrics").decode().splitlines():
            if line.startswith(prefix):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                found[name] = found.get(name, 0.0) + float(value)
        return found

    def trace_ids(self) -> set[str]:
        """Of all exemplars it holds."""
        parameters = urllib.parse.urlencode({"query": '{__name__=~".+"}', "start": 0, "end": time.time() + 60})
        answer = json.loads(self._call(f"/api/v1/query_exemplars?{parameters}"))["data"]
        return {each["labels"]["trace_id"] for series in answer for each in series["exemplars"]}

    def wait_sent(self, timeout: float = 60) -> None:
        """Until remote-write has nothing left to send; raises PeerError where samples failed or time is up."""
        self.wait_drained(timeout, failures=False)

    def wait_drained(self, timeout: float = 60, *, failures: bool = True) -> None:
        """As `wait_sent`; with `failures`, whatever became of the samples."""
        deadline = time.monotonic() + timeout
        quiet = 0
        before = -1.0
        while time.monotonic() < deadline:
            now = self.metrics("prometheus_remote_storage_")
            lost = [now.get(f"prometheus_remote_storage_{kind}_failed_total", 0) for kind in ("samples", "histograms")]
            if any(lost) and not failures:
                raise PeerError(f"remote-write failed for {lost} samples, histograms:\n{self.tail()}")
            sent = now.get("prometheus_remote_storage_samples_total", 0)
            pending = now.get("prometheus_remote_storage_samples_pending", 0)
            quiet = quiet + 1 if not pending and sent == before else 0
            before = sent
            if quiet == 8:
                return
            time.sleep(0.5)
        raise PeerError(f"remote-write did not drain:\n{self.tail()}")
