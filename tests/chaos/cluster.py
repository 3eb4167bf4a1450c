"""All that runs in a storm: a broker, a store behind a proxy, and each role of Forebay as processes of its own."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bucket.bucket import Bucket
from bucket.layout import SEGMENTS
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from tests.bucket.fault_proxy import FaultProxy, fault_proxy
from tests.bucket.s3_servers import S3Server
from tests.chaos.role import Role
from tests.chaos.topic import Topic
from tests.chaos.weather import Weather
from tests.crash.senders import Sender
from tests.peers.kafka import KafkaBroker
from tests.peers.process import PeerError

PARTITIONS = 3
SESSION_SECONDS = 4.0
"""After which the group takes a silent consumer for dead."""
GROUP = "forebay"
REPLICA = "b"
GRACE = "4s"
"""Above what a crowded machine's broker takes from a record's append time until it shows the record."""
_PATIENCE = 3.0  # seconds that a stalled answer waits; the clients wait for 2
_OLD = 5 * 3_600_000  # ms: in a window that is closed, so that the compactor has something to do


class Cast(NamedTuple):
    """How many of each, and how they are set up."""

    gateways: int = 2
    consumers: int = 3
    replicas: int = 1
    """Members of the second group."""
    compactors: int = 0
    senders: int = 3
    pause: float = 0.1
    """Seconds between a sender's requests."""
    interval: str = "2s"
    """Of segments."""
    record_version: int = 1


class Cluster:
    """A context manager. `build` is the module that every role runs.

    The roles reach the store through the proxy alone; `bucket` goes straight to it.
    """

    def __init__(
        self, directory: Path, kafka: KafkaBroker, s3: S3Server, *, cast: Cast, seed: int, build: str = "forebay"
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.kafka = kafka
        self.broker_turn = threading.Lock()
        self.cast = cast
        self.build = build
        self.problems: list[str] = []
        self.weather = Weather(seed)
        name = kafka.create_topic(f"storm-{random.Random(seed).getrandbits(32)}-{time.time_ns()}", PARTITIONS)
        self.topic = Topic(kafka.bootstrap, name, PARTITIONS)
        self.s3 = s3
        self.bucket_name = s3.make_bucket()
        self.quiet_name = s3.make_bucket()
        self.bucket: Bucket = s3.open(self.bucket_name)
        self.manifests = ManifestStore(self.bucket)
        self.roles: dict[str, Role] = {}
        self.senders: list[Sender] = []
        self._seed = seed
        self._parts = ExitStack()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self.proxy: FaultProxy = parts.enter_context(fault_proxy(self.s3.endpoint, self.weather.plan, _PATIENCE))
            self._cast()
            for role in self.roles.values():
                parts.callback(role.kill)
            for role in self.roles.values():
                role.start()
            for role in self.roles.values():
                role.ready()
            supervisor = threading.Thread(target=self._supervise)
            parts.callback(supervisor.join)
            parts.callback(self._over.set)
            supervisor.start()
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.halt()
        self._parts.close()

    def named(self, prefix: str) -> list[Role]:
        return [role for name, role in self.roles.items() if name.startswith(prefix)]

    def send(self) -> None:
        """Lets the senders loose; all but the last send what is new, and the last what is hours old."""
        ports = [role.port for role in self.named("gateway")]
        for number in range(self.cast.senders):
            age = _OLD if number == self.cast.senders - 1 else 0
            tenant = f"tenant-{number % 2}"
            sender = Sender(number, ports, tenant, self._seed + number, pause=self.cast.pause, age=age)
            self.senders.append(sender)
            sender.start()

    def halt(self) -> None:
        """Ends the senders. May be called twice."""
        for sender in self.senders:
            sender.halt()

    def settle(self, timeout: float = 180) -> None:
        """Lets everybody finish in fair weather: when it returns every record lies in a published segment."""
        self.weather.clear()
        for role in self.roles.values():
            role.thaw()
            role.ready()
        self.halt()
        self.wait_published(self.bucket, timeout)

    def stop(self) -> None:
        """SIGTERM to all; then what each of them has to say of its life is in `problems`."""
        self._over.set()
        with ThreadPoolExecutor(len(self.roles)) as pool:
            for _ in pool.map(Role.end, self.roles.values()):
                pass
        for role in self.roles.values():
            self.problems += role.problems
            if role.tracebacks():
                self.problems.append(f"{role.name} logged {role.tracebacks()} tracebacks: {role.log}")

    def settings(self, bucket: str, endpoint: str = "", **more: Mapping[str, Any]) -> dict[str, Any]:
        """The settings file of one role; `more` goes over its sections."""
        config = self.s3.config(bucket, http_config={"response_header_timeout": "2s"}, max_retries=1)
        found: dict[str, dict[str, Any]] = {
            "broker": {
                "type": "kafka",
                "record_version": self.cast.record_version,
                "label_window": "8s",  # a few segments; labels are written anew every few seconds
                "kafka": {
                    "bootstrap_servers": self.kafka.bootstrap,
                    "topic": self.topic.name,
                    "session_timeout": f"{SESSION_SECONDS * 1000:.0f}ms",
                    "delivery_timeout": "5s",
                    "watch_interval": "2s",
                    "librdkafka": {"heartbeat.interval.ms": 500},
                },
            },
            "bucket": {"type": "S3", "config": config | ({"endpoint": endpoint} if endpoint else {})},
            "segment": {"interval": self.cast.interval, "grace": GRACE},
            "consumer": {"group": GROUP, "retry_min": "100ms", "retry_max": "2s", "drain_timeout": "5s"},
            "gateway": {"append_timeout": "6s"},
            "compactor": {
                "interval": "1s",
                "close_delay": "0s",
                "delete_delay": "8s",
                "orphan_delay": "8s",
                "rollup_interval": "5s",
                "retry_max": "2s",
            },
        }
        for section, values in more.items():
            found[section] = found.get(section, {}) | dict(values)
        return found

    def join(self, role: Role) -> None:
        """Starts one more, which is looked after like the others."""
        self._parts.callback(role.kill)
        role.start()
        self.roles[role.name] = role

    def make_role(self, name: str, role: str, settings: dict[str, Any], build: str = "") -> Role:
        """Not started, and nobody's to look after but the caller's."""
        return Role(name, role, settings, self.directory, build or self.build)

    def chain_ends(self, bucket: Bucket) -> dict[int, int]:
        """By partition, where its chain of manifests ends."""
        manifests = ManifestStore(bucket)
        last = {number: manifests.last(log_id, number) for log_id, number in manifests.partitions()}
        return {number: manifest.end for number, manifest in last.items() if manifest is not None}

    def chains(self) -> Iterator[Manifest]:
        """Every manifest of the stormy bucket."""
        for log_id, number in self.manifests.partitions():
            yield from self.manifests.chain(log_id, number)

    def log_ids(self) -> list[str]:
        return list(self.bucket.list_dirs(SEGMENTS))

    def wait_published(self, bucket: Bucket, timeout: float) -> None:
        """Until the chains end where the log does; nobody may be sending."""

        def published() -> bool:
            # Asked anew each time: what a gateway was told may reach the log after its sender has gone.
            return self.chain_ends(bucket) == {number: end for number, end in self.topic.ends().items() if end}

        self.wait(published, "the log was not published to its end", timeout)

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                tails = "\n".join(f"--- {role.name}\n{role.tail(4)[-1000:]}" for role in self.roles.values())
                ends = self.chain_ends(self.bucket)
                raise PeerError(f"{what} within {timeout} s\nlog {self.topic.ends()} chains {ends}\n{tails}")
            time.sleep(0.2)

    def fetch(self, name: str) -> Path:
        """A copy of a bucket in a local directory."""
        bucket, target = self.s3.open(name), self.directory / f"copy-{name}"

        def fetch(key: str) -> None:
            path = target / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bucket.get(key))

        target.mkdir()
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(fetch, [info.key for info in bucket.list("")]):
                pass
        return target

    def _cast(self) -> None:
        cast, endpoint = self.cast, self.proxy.endpoint
        for number in range(cast.gateways):
            self._enter(f"gateway-{number}", "gateway", self.settings(self.bucket_name, endpoint))
        for number in range(cast.consumers):
            static = {"group": GROUP, "member": f"consumer-{number}" if number % 2 else ""}
            self._enter(f"consumer-{number}", "consumer", self.settings(self.bucket_name, endpoint, consumer=static))
        for number in range(cast.replicas):
            second = {"group": GROUP, "replica": REPLICA}
            self._enter(f"replica-{number}", "consumer", self.settings(self.bucket_name, endpoint, consumer=second))
        for number in range(cast.compactors):
            self._enter(f"compactor-{number}", "compactor", self.settings(self.bucket_name, endpoint))

    def _enter(self, name: str, role: str, settings: dict[str, Any]) -> None:
        self.roles[name] = self.make_role(name, role, settings)

    def _supervise(self) -> None:
        while not self._over.wait(0.5):
            for role in list(self.roles.values()):
                role.supervise()
