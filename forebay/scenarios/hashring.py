"""RF-3 hashring receivers, as Thanos Receive and Cortex: each sample goes to three nodes, and two must take it."""

import random
from math import comb, inf

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.design import Cores, Design
from forebay.scenarios.event import Busier, Cut, Event, Hot, Lose, LoseKeeper, Scale, Slow
from forebay.scenarios.front import Front
from forebay.scenarios.size import Size

_REPLICAS = 3


class Hashring(Design):
    """Receivers of Ketama, without zones; routing receivers in front of them."""

    name = "hashring"
    copies = float(_REPLICAS)

    def __init__(self, size: Size, given: Calibration, chance: random.Random) -> None:
        super().__init__(size, given, chance)
        self.front = Front(self.base_rate, given.receiver_rate * _REPLICAS, given)
        self._cores = max(1.0, self.base_rate / given.receiver_rate / size.nodes / given.busy)
        self._capacity = self._cores * given.receiver_rate * _REPLICAS
        """Copies of samples a second that a node takes."""
        self._down: dict[int, float] = {}
        """Nodes that nobody reaches, and until when."""
        self._speed: dict[int, float] = {}
        self._extra = 0.0
        self._twice = 0.0
        self._gone = 0
        """Nodes that were taken away and still stand in the rings of those who have not heard."""
        self._spread = (0.0, 1.0)

    def batches(self) -> list[list[int]]:
        """A StatefulSet's: one at a time; two of a replica set would refuse writes."""
        return [[node] for node in range(self.nodes)]

    def restart(self, node: int, now: float) -> None:
        """The head is flushed on the way down, into a block: nothing is replayed on the way up."""
        head = _REPLICAS * self.rate / self.nodes * self.head_seconds(now)
        flush = head / (self._cores * self.given.replay_rate)
        self._take_down(node, now, now + flush + self.given.pod_restart)

    def _take_down(self, node: int, _now: float, until: float) -> None:
        self._down[node] = max(until, self._down.get(node, 0.0))
        self.at(until, self._bring_up)

    def _bring_up(self, now: float) -> None:
        self._down = {node: until for node, until in self._down.items() if until > now}

    def recovered(self, node: int) -> bool:
        return node not in self._down

    def befall(self, event: Event, now: float) -> None:
        if isinstance(event, Scale):
            self._scale(event.nodes, now)
        elif isinstance(event, Lose | LoseKeeper):
            self._take_down(event.node, now, now + self.given.pod_start)
        elif isinstance(event, Cut):
            self._take_down(event.node, now, now + event.seconds)
        elif isinstance(event, Slow):
            self._speed[event.node] = event.speed
            self.at(now + event.seconds, lambda _: self._speed.clear())
        elif isinstance(event, Busier):
            self.rate = self.base_rate * event.factor
            self.at(now + event.seconds, self._as_before)
        elif isinstance(event, Hot):
            self._extra = event.share * self.base_rate
            self.at(now + event.seconds, self._as_before)

    def _as_before(self, _: float) -> None:
        self.rate, self._extra = self.base_rate, 0.0

    def _scale(self, nodes: int, now: float) -> None:
        """The ring changes with the StatefulSet, before new pods are ready, and after old ones have gone."""
        before, self.nodes = self.nodes, nodes
        self._twice = abs(nodes - before) / max(nodes, before)
        self.at(now + self.given.head_least + self.given.head_range, self._settle, part=False)
        if nodes > before:
            for node in range(before, nodes):
                self._take_down(node, now, now + self.given.pod_start)
        else:
            self._gone = before - nodes
            self._spread = (now, now + self.given.ring_spread)
            self.at(now + self.given.ring_spread, self._forget)

    def _settle(self, _: float) -> None:
        self._twice = 0.0

    def _forget(self, _: float) -> None:
        self._gone = 0

    def offered(self) -> float:
        return self.rate + self._extra

    def refused(self, now: float, rate: float) -> float:
        """A request is refused where any of its series has no quorum."""
        in_ring = 1 - (1 - self._unreached(now)) * (1 - self._overloaded(rate))
        return max(in_ring, self.front.refused(rate))

    def room(self, _now: float) -> float:
        """Nothing is held for later."""
        return inf

    def take(self, now: float, seconds: float, sent: float, _acknowledged: float) -> None:
        self.front.watch(now, sent / seconds)

    def _unreached(self, now: float) -> float:
        load = _REPLICAS * self.rate / self.nodes
        # A node that cannot take its load fails what is forwarded to it as one that is gone does.
        slow = [node for node, speed in self._speed.items() if speed * self._capacity < load and node not in self._down]
        down = len(slow) + sum(until > now for until in self._down.values())
        refused = self._of_requests(no_quorum(self.nodes, down))
        if self._gone:
            begin, end = self._spread
            unaware = max(0.0, (end - now) / (end - begin))
            refused = max(refused, unaware * self._of_requests(no_quorum(self.nodes + self._gone, self._gone)))
        return refused

    def _of_requests(self, of_series: float) -> float:
        return 1.0 - (1.0 - of_series) ** int(self.given.request_samples)

    def _overloaded(self, rate: float) -> float:
        """Shares of forwards that a node cannot take. Where all have too much, senders slow down to what they take."""
        hot = rate * self._extra / (self.rate + self._extra)
        mine = _REPLICAS * (rate - hot) / self.nodes
        everywhere = max(0.0, 1 - self._capacity / mine) if mine else 0.0
        if not hot:
            return everywhere
        each = max(0.0, 1 - self._capacity / (mine + hot))
        two = 3 * each**2 - 2 * each**3
        touched = self._of_requests(no_quorum(self.nodes, _REPLICAS))
        of_hot = hot / rate
        return max(everywhere, two * (of_hot + (1 - of_hot) * touched))

    def calm(self) -> bool:
        return not self._gone and len(self._down) < 2 and not self._extra and self.rate == self.base_rate

    def behind(self, _now: float) -> tuple[float, float]:
        """What is acknowledged is in a head that answers."""
        return 0.0, 0.0

    def memory(self) -> float:
        return self.size.series * (1 + self._twice) * _REPLICAS * self.given.receiver_series

    def cores(self) -> Cores:
        return Cores(0.0, self.base_rate / self.given.receiver_rate, 0.0)

    def zone_bytes(self) -> float:
        """Two of three copies are forwarded into another zone."""
        return self.given.forward_sample * (_REPLICAS - 1)

    def disk_bytes(self) -> float:
        return self.base_rate * (self.given.head_least + self.given.head_range) * self.given.disk_sample * _REPLICAS


def no_quorum(nodes: int, down: int) -> float:
    """The share of series of which two or three of the replicas are on nodes that are down."""
    if down < 2 or nodes < _REPLICAS:
        return 0.0
    return (comb(down, 2) * (nodes - down) + comb(down, 3)) / comb(nodes, _REPLICAS)
