"""Forebay: partitions are assigned to consumers, and their open segments are read again when they move."""

import random
from dataclasses import dataclass
from math import fsum

from forebay.scenarios.balance import balanced
from forebay.scenarios.calibration import Calibration
from forebay.scenarios.design import Cores
from forebay.scenarios.event import Busier, Cut, Event, Hot, Lose, LoseKeeper, Scale, Slow
from forebay.scenarios.front import Front
from forebay.scenarios.log_fed import LogFed
from forebay.scenarios.readers import Readers
from forebay.scenarios.shares import shares_of
from forebay.scenarios.size import Size

_PARTITIONS_OF_A_NODE = 4
_THIRD = 2 / 3
"""Of what goes to one of three zones by chance comes from another."""


@dataclass(frozen=True)
class Group:
    """The settings that matter here; as in deploy/kubernetes."""

    static: bool = True
    session_seconds: float = 45
    segment_seconds: float = 1800
    segment_bytes: float = 1 << 30
    partitions: int = 0
    """0 for four of each node."""


@dataclass
class Takeover:
    partition: int
    since: float
    assigned: float
    rebuilt: float
    """Samples."""


class ForebayDesign(LogFed):
    name = "forebay"
    copies = 1.0

    def __init__(self, size: Size, given: Calibration, chance: random.Random, group: Group | None = None) -> None:
        self.group = group or Group()
        self.takeovers: list[Takeover] = []
        rate = size.rate(given)
        count = self.group.partitions or _PARTITIONS_OF_A_NODE * size.nodes
        cores = max(1.0, rate / given.consumer_rate / size.nodes / given.busy)
        readers = Readers(
            shares_of(count, size.series, chance), [p % size.nodes for p in range(count)], cores * given.consumer_rate
        )
        readers.rebuild_capacity = cores * given.rebuild_rate
        front = Front(rate, given.gateway_rate, given)
        super().__init__(size, given, chance, front=front, queue=given.gateway_queue, zones=[readers])
        self.readers = readers
        self._full = 0.0
        """Samples of all open segments at their fullest, at the rate `_full_at`."""
        self._full_at = 0.0

    def batches(self) -> list[list[int]]:
        return [[node] for node in range(self.nodes)]

    def restart(self, node: int, now: float) -> None:
        self._pause(node, now, now + self.given.pod_restart)

    def recovered(self, node: int) -> bool:
        return not any(self.readers.owner[partition] == node for partition in self.readers.behind)

    def befall(self, event: Event, now: float) -> None:
        if isinstance(event, Scale):
            self.scale(event.nodes, now)
        elif isinstance(event, Lose):
            self._lose(event.node, now)
        elif isinstance(event, LoseKeeper):
            self.lose_broker(now)
        elif isinstance(event, Slow):
            self._slow(event, now)
        elif isinstance(event, Cut):
            self._cut(event, now)
        elif isinstance(event, Busier):
            self.get_busier(event, now)
        elif isinstance(event, Hot):
            self.heat(self.chance.randrange(len(self.readers.shares)), event.share, now + event.seconds)

    def opened(self, partition: int, now: float) -> float:
        """Samples of its open segment."""
        group = self.group
        age = (self.clock + now) % group.segment_seconds
        samples = age * self.rate * self.readers.shares[partition]
        return samples % (group.segment_bytes / self.given.record_sample)

    def _pause(self, node: int, now: float, until: float) -> None:
        """Its partitions wait for it, and are rebuilt."""
        for partition in self.readers.of(node):
            self._stop(partition, now, until)

    def _stop(self, partition: int, now: float, until: float) -> None:
        behind = self.readers.unsettle(partition)
        behind.resumes = max(until, behind.resumes)
        # What was taken since the segment began is taken again; what comes meanwhile is lag.
        behind.rebuild = max(0.0, self.opened(partition, now) - behind.lag)
        self.takeovers.append(Takeover(partition, now, behind.resumes, behind.rebuild))

    def _detected(self, now: float) -> float:
        """When the group gives up a member that fell silent now: its last heartbeat was a while ago."""
        return now + self.group.session_seconds - self.chance.uniform(0, self.given.heartbeat)

    def scale(self, nodes: int, now: float, *, killed: bool = False) -> None:
        """Down by SIGTERM, or by kill -9."""
        before = self.nodes
        self.nodes = nodes
        if nodes > before:
            self.at(now + self.given.pod_start, lambda then: self._reassign(list(range(nodes)), then, {}))
            return
        leaves = {}
        for node in range(nodes, before):
            told = not self.group.static and not killed
            leaves[node] = now if told else self._detected(now)
        self._reassign(list(range(nodes)), now, leaves)

    def _reassign(self, members: list[int], now: float, leaves: dict[int, float]) -> None:
        """`leaves`: when the group knows that a member is gone."""
        new = balanced(self.readers.owner, members)
        moved = [partition for partition, owner in enumerate(self.readers.owner) if new[partition] != owner]
        for partition in moved:
            known = leaves.get(self.readers.owner[partition], now)
            self._stop(partition, now, known + self.given.assign_seconds)
        self.readers.move(moved, [new[partition] for partition in moved])

    def _lose(self, node: int, now: float) -> None:
        back = now + self.given.pod_start
        if self.group.static and back < now + self.group.session_seconds:
            self._pause(node, now, back)  # the pod has its name again before the group gives it up
            return
        others = [each for each in range(self.nodes) if each != node]
        self._reassign(others, now, {node: self._detected(now)})
        self.at(back, lambda then: self._reassign(list(range(self.nodes)), then, {}))

    def _slow(self, event: Slow, now: float) -> None:
        self.slow(self.readers, event.node, event.speed, now + event.seconds)

    def _cut(self, event: Cut, now: float) -> None:
        if event.seconds >= self.group.session_seconds:
            others = [each for each in range(self.nodes) if each != event.node]
            self._reassign(others, now, {event.node: self._detected(now)})
            self.at(now + event.seconds, lambda then: self._reassign(list(range(self.nodes)), then, {}))
            return
        for partition in self.readers.of(event.node):  # it keeps its heads, and goes on where it was
            self.readers.unsettle(partition).resumes = now + event.seconds

    def memory(self) -> float:
        if self._full_at != self.rate:
            most = self.group.segment_bytes / self.given.record_sample
            slot = self.rate * self.group.segment_seconds
            self._full = fsum(min(most, share * slot) for share in self.readers.shares)
            self._full_at = self.rate
        return held(self.given, self.nodes, self.size.series, self._full)

    def cores(self) -> Cores:
        given = self.given
        followers = given.log_replicas - 1
        broker = given.log_replicas * given.broker_write + (followers + 1) * given.broker_read
        return Cores(self.base_rate / given.gateway_rate, self.base_rate / given.consumer_rate, self.base_rate * broker)

    def zone_bytes(self) -> float:
        """To the leader, to two followers, to the consumer."""
        return self.given.log_sample * (_THIRD + (self.given.log_replicas - 1) + _THIRD)

    def disk_bytes(self) -> float:
        return self.base_rate * self.given.log_retention * self.given.log_sample * self.given.log_replicas


def held(given: Calibration, nodes: int, series: float, samples: float) -> float:
    """Bytes of consumers whose open segments hold so much."""
    return nodes * given.consumer_base + series * given.consumer_series + samples * given.consumer_sample
