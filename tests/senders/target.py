"""What the senders scrape: a target that counts its own scrapes, so that a lost one shows as a hole."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

GAUGES = 200
"""Series besides the few with a meaning."""
LONG = "x" * 300
"""A label value that a limit may be set below."""
_OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_PLAIN = "text/plain; version=0.0.4; charset=utf-8"


class Target:
    """Serves `/metrics?sender=NAME` on a port of its own; a context manager."""

    def __init__(self) -> None:
        self.turns: Counter[str] = Counter()
        """By sender, how often it was answered."""
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sender = parse_qs(urlsplit(self.path).query).get("sender", ["-"])[0]
                rich = "openmetrics" in self.headers.get("Accept", "")
                body = target.page(sender, rich=rich).encode()
                self.send_response(200)
                self.send_header("Content-Type", _OPEN_METRICS if rich else _PLAIN)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: pytest shows what is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def page(self, sender: str, *, rich: bool) -> str:
        """One scrape; exemplars where `rich`, since only OpenMetrics has them."""
        with self._lock:
            self.turns[sender] += 1
            turn = self.turns[sender]

        def exemplar(kind: str, value: float) -> str:
            return f' # {{trace_id="{sender}-{kind}-{turn}"}} {value}' if rich else ""

        total = "turns" if rich else "turns_total"
        lines = [
            f"# HELP {total} Scrapes answered.",
            f"# TYPE {total} counter",
            f"turns_total {turn}{exemplar('turn', 1)}",
            "# HELP latency_seconds Of nothing in particular.",
            "# TYPE latency_seconds histogram",
            f'latency_seconds_bucket{{le="0.1"}} {turn}{exemplar("bucket", 0.05)}',
            f'latency_seconds_bucket{{le="+Inf"}} {2 * turn}',
            f"latency_seconds_sum {turn * 0.3:g}",
            f"latency_seconds_count {2 * turn}",
            "# TYPE long_story gauge",
            f'long_story{{text="{LONG}"}} {turn}',
            "# HELP wave Up and down.",
            "# TYPE wave gauge",
            *(f'wave{{index="{index:03}"}} {(index * turn) % 997 / 8}' for index in range(GAUGES)),
            *(["# EOF"] if rich else []),
        ]
        return "\n".join(lines) + "\n"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
