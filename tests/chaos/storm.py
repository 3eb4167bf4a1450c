"""A storm from its first event to its verdict."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bucket.s3_servers import S3Server
from tests.chaos.cluster import Cast, Cluster
from tests.chaos.events import befall
from tests.chaos.schedule import Event
from tests.chaos.verdict import Stored, judge
from tests.peers.kafka import KafkaBroker

_CALM_SECONDS = 4.0  # before the first event and after the last


@dataclass
class Outcome:
    """What a storm left behind; `problems` is empty where every promise held."""

    events: int = 0
    seconds: float = 0
    stored: Stored = field(default_factory=Stored)
    seen: dict[str, int] = field(default_factory=dict)
    """That the storm was one: what the roles and the proxy say they met."""
    problems: list[str] = field(default_factory=list)


def storm(
    directory: Path,
    kafka: KafkaBroker,
    s3: S3Server,
    *,
    cast: Cast,
    events: Sequence[Event],
    seed: int,
    tell: Callable[[str], None] = print,
) -> Outcome:
    """Runs the plan under load, lets everybody finish, and checks everything."""
    began = time.monotonic()
    with Cluster(directory, kafka, s3, cast=cast, seed=seed) as cluster:
        cluster.send()
        time.sleep(_CALM_SECONDS)
        Weathermaker(cluster, tell).run(events)
        time.sleep(_CALM_SECONDS)
        tell("settling")
        cluster.settle()
        cluster.stop()
        tell("judging")
        stored, problems = judge(cluster)
        return Outcome(len(events), time.monotonic() - began, stored, seen(cluster), problems)


def seen(cluster: Cluster) -> dict[str, int]:
    """Counts out of the logs and the proxy."""
    consumers = [*cluster.named("consumer"), *cluster.named("replica")]
    found = Counter(
        {
            "segments adopted": sum(role.seen("segment adopted") for role in consumers),
            "partitions assigned": sum(role.seen("partition assigned") for role in consumers),
            "partitions lost": sum(role.seen("partitions lost") for role in consumers),
            "publish failures": sum(role.seen("segment is not published yet") for role in consumers),
            "windows compacted": sum(role.seen("window compacted") for role in cluster.named("compactor")),
            "failed starts": sum(role.failed_starts for role in cluster.roles.values()),
        }
    )
    return dict(found) | {f"store: {fault}": count for fault, count in sorted(cluster.weather.met.items())}


class Weathermaker:
    """Lets each event befall the cluster at its time, beside others that have other targets."""

    def __init__(self, cluster: Cluster, tell: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._tell = tell
        self._began = time.monotonic()
        self._turns = {"store": threading.Lock(), "broker": cluster.broker_turn}
        self._turns |= {name: role.turn for name, role in cluster.roles.items()}

    def run(self, events: Sequence[Event]) -> None:
        """Returns when all are over."""
        self._began = time.monotonic()
        threads = []
        for number, event in enumerate(events, 1):
            time.sleep(max(0.0, self._began + event.at - time.monotonic()))
            thread = threading.Thread(target=self._befall, args=(number, event), name=event.kind)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _befall(self, number: int, event: Event) -> None:
        with ExitStack() as held:
            for name in sorted(event.targets):
                held.enter_context(self._turns[name])
            acknowledged = sum(len(sender.memory.acknowledged) for sender in self._cluster.senders)
            self._tell(
                f"{time.monotonic() - self._began:7.1f} s  event {number}: {event}; "
                f"{acknowledged} samples acknowledged so far"
            )
            try:
                befall(self._cluster, event)
            except Exception as error:  # noqa: BLE001 - told with the verdict; the storm goes on
                self._cluster.problems.append(f"event {number} ({event}) failed: {type(error).__name__}: {error}")
