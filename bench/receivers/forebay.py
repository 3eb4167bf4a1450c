import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.process import forebay
from bench.receivers.receiver import ANSWER_SECONDS, Receiver, block_bytes, get, size_of, started
from bench.receivers.services import Services
from tests.peers.process import free_port

LABELS_ONCE = {"broker": {"record_version": 2}}
_POLL_SECONDS = 0.5


class _Forebay(Receiver):
    """`slot` is `segment.interval` in seconds: so long must pass until the last segment may end."""

    tenant_header = "X-Scope-OrgID"
    stored_as = "published blocks in the bucket"

    def __init__(self, directory: Path, slot: int, settings: Mapping[str, Any]) -> None:
        super().__init__(directory)
        if settings.get("broker", {}).get("record_version") == 2:
            self.name += ", record version 2"
        self._port = free_port()
        self._consumer_port = self._port
        self._data = directory / "data"
        self._slot = slot
        self._settings = directory / "forebay.yaml"
        chosen = {"segment": {"interval": f"{slot}s", "grace": "1s"}, "self_metrics": {"enabled": False}}
        self._settings.write_text(json.dumps({**chosen, **settings}))

    @property
    def ports(self) -> tuple[int]:
        return (self._port,)

    def settle(self) -> None:
        """A slot has just begun: a short load is to lie in as few segments as a long one would."""
        time.sleep(self._slot - time.time() % self._slot + 1.5)

    def caught_up(self) -> None:
        self._wait("position")

    def finish(self) -> None:
        self._wait("manifest_end")

    def _wait(self, field: str) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while any((row[field] or 0) < row["end_offset"] for row in self._partitions()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{field} did not reach the end of the log: {self._partitions()}")
            self.check_runs()
            time.sleep(_POLL_SECONDS)

    def _partitions(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(get(f"http://127.0.0.1:{self._consumer_port}/api/v1/status"))[
            "partitions"
        ]
        return rows


class ForebayEmbedded(_Forebay):
    name = "Forebay, embedded log"

    def __init__(self, directory: Path, slot: int = 30, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(directory, slot, settings or {})

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        process = forebay("all-in-one", self._port, self._settings, self._data, self.directory / "log")
        with started(self, {process: f"http://127.0.0.1:{self._port}/-/ready"}):
            yield

    def blocks(self) -> list[Path]:
        """Of all tenants, also those that were merged already and are not removed yet."""
        return [meta.parent for meta in (self._data / "bucket").rglob("meta.json")]

    def stored_bytes(self) -> int:
        return block_bytes(self._data / "bucket")

    def log_bytes(self) -> int:
        return size_of(self._data / "log")


class ForebayOnKafka(_Forebay):
    """A gateway and a consumer."""

    name = "Forebay, Kafka and S3"

    def __init__(
        self,
        directory: Path,
        services: Services,
        slot: int = 30,
        partitions: int = 4,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._services = services
        self._topic = services.broker.create_topic(f"forebay-{secrets.token_hex(4)}", partitions)
        self._bucket = services.s3.make_bucket()
        more = dict(settings or {})
        broker = {
            "type": "kafka",
            "kafka": {"bootstrap_servers": services.broker.bootstrap, "topic": self._topic},
            **more.pop("broker", {}),
        }
        super().__init__(
            directory,
            slot,
            {"broker": broker, "bucket": services.bucket_settings(self._bucket), **more},
        )
        self._consumer_port = free_port()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        roles = (("gateway", self._port), ("consumer", self._consumer_port))
        processes = {
            forebay(role, port, self._settings, self._data, self.directory / f"{role}.log"): (
                f"http://127.0.0.1:{port}/-/ready"
            )
            for role, port in roles
        }
        with started(self, processes):
            yield
        self._services.broker.delete_topic(self._topic)

    def foreign_cpu_seconds(self) -> dict[str, float]:
        return self._services.cpu_seconds()

    def stored_bytes(self) -> int:
        return block_bytes(self._services.bucket(self._bucket))

    def log_bytes(self) -> int:
        return self._services.topic_bytes(self._topic)
