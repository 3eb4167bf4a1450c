"""What each kind of event does to a cluster, from its beginning to its end."""

import random
import time
from collections.abc import Callable

from tests.chaos.cluster import GROUP, REPLICA, Cluster
from tests.chaos.role import Role
from tests.chaos.schedule import Event

_POISON = b"\x0a\xff\xff\xff\xff"  # a length beyond the record's end
_FAULTY_SHARE = 0.35
_BROKER_SECONDS = 5.0  # for which a broker that is back is left alone
_SLOWNESS = 1.5  # seconds at most; below the client's patience


def befall(cluster: Cluster, event: Event) -> None:
    """Returns when it is over. Whoever calls it has the turn of each of the event's targets."""
    _DEEDS[event.kind](cluster, event)


def _role(cluster: Cluster, event: Event) -> Role:
    return cluster.roles[event.targets[0]]


def _kill(cluster: Cluster, event: Event) -> None:
    role = _role(cluster, event)
    role.kill()
    time.sleep(event.seconds)
    role.start()


def _restart(cluster: Cluster, event: Event) -> None:
    role = _role(cluster, event)
    role.end()
    time.sleep(event.seconds)
    role.start()


def _freeze(cluster: Cluster, event: Event) -> None:
    role = _role(cluster, event)
    role.freeze()
    time.sleep(event.seconds)
    role.thaw()


def _wipe(cluster: Cluster, event: Event) -> None:
    _role(cluster, event).wipe()


def _lose_disk(cluster: Cluster, event: Event) -> None:
    role = _role(cluster, event)
    role.kill()
    role.wipe()
    time.sleep(event.seconds)
    role.start()


def _restart_broker(cluster: Cluster, _: Event) -> None:
    cluster.kafka.stop(60)
    _start_broker(cluster)


def _kill_broker(cluster: Cluster, event: Event) -> None:
    cluster.kafka.kill()
    time.sleep(event.seconds)
    _start_broker(cluster)


def _start_broker(cluster: Cluster) -> None:
    """However long that takes: nothing may befall it again before something has gone through it."""
    cluster.kafka.start(timeout=180)
    time.sleep(_BROKER_SECONDS)


def _storm(cluster: Cluster, event: Event) -> None:
    cluster.weather.storm(_FAULTY_SHARE)
    time.sleep(event.seconds)
    cluster.weather.clear()


def _slow(cluster: Cluster, event: Event) -> None:
    cluster.weather.slow(_SLOWNESS)
    time.sleep(event.seconds)
    cluster.weather.clear()


def _no_store(cluster: Cluster, event: Event) -> None:
    cluster.weather.storm(1.0, ["drop"])
    time.sleep(event.seconds)
    cluster.weather.clear()


def _without_members(cluster: Cluster, event: Event, then: Callable[[str], object]) -> None:
    """Only a group that nobody is in lets its commits be changed from outside."""
    members = [cluster.roles[name] for name in event.targets if name in cluster.roles]
    group = f"{GROUP}-{REPLICA}" if members[0].name.startswith("replica") else GROUP
    for role in members:
        role.kill()
    try:
        cluster.topic.wait_left(group)
        then(group)
    finally:
        for role in members:
            role.start()


def _wipe_commits(cluster: Cluster, event: Event) -> None:
    _without_members(cluster, event, cluster.topic.forget_commits)


def _move_commits(cluster: Cluster, event: Event) -> None:
    chance = random.Random(event.seed)
    _without_members(cluster, event, lambda group: cluster.topic.move_commits(group, chance))


def _poison(cluster: Cluster, event: Event) -> None:
    cluster.topic.append(event.seed % cluster.topic.partitions, _POISON)


_DEEDS: dict[str, Callable[[Cluster, Event], None]] = {
    "gateway killed": _kill,
    "gateway restarted": _restart,
    "gateway frozen": _freeze,
    "consumer killed": _kill,
    "consumer restarted": _restart,
    "consumer away": _restart,
    "consumer frozen": _freeze,
    "consumer disk wiped": _wipe,
    "consumer disk lost": _lose_disk,
    "compactor killed": _kill,
    "compactor frozen": _freeze,
    "broker restarted": _restart_broker,
    "broker killed": _kill_broker,
    "broker gone": _kill_broker,
    "store faulty": _storm,
    "store slow": _slow,
    "store gone": _no_store,
    "commits wiped": _wipe_commits,
    "commits moved": _move_commits,
    "poison record": _poison,
}
