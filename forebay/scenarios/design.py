"""What a design has to answer, and what all of them share: a clock, a plan of what ends when, and a rolling update."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.event import Event, Roll
from forebay.scenarios.size import Size


@dataclass(frozen=True)
class Cores:
    """What the load needs, without any headroom."""

    front: float
    nodes: float
    brokers: float


class Design(ABC):
    """One system under one scenario. Steps go forward only."""

    name: str
    copies: float
    """Of a sample in the bucket, before any compactor has merged them."""

    def __init__(self, size: Size, given: Calibration, chance: random.Random) -> None:
        self.size = size
        self.given = given
        self.chance = chance
        self.nodes = size.nodes
        self.base_rate = size.rate(given)
        self.rate = self.base_rate
        """Samples a second that come by the shares of series, now."""
        self.clock = chance.uniform(0, given.head_range)
        """Of the wall, at the beginning."""
        self._plan: list[tuple[float, Callable[[float], None], bool]] = []
        self._rolling: list[list[int]] = []
        self._rolled: list[int] = []

    @abstractmethod
    def batches(self) -> list[list[int]]:
        """The nodes that a rolling update restarts together, in turn."""

    @abstractmethod
    def restart(self, node: int, now: float) -> None:
        """As a rolling update does it, with SIGTERM."""

    @abstractmethod
    def recovered(self, node: int) -> bool:
        """Whether it does again what it did before it was restarted."""

    @abstractmethod
    def befall(self, event: Event, now: float) -> None:
        """Anything but a rolling update."""

    @abstractmethod
    def offered(self) -> float:
        """Samples a second that senders have."""

    @abstractmethod
    def refused(self, now: float, rate: float) -> float:
        """The share of requests that fails, where senders try to write samples at `rate`."""

    @abstractmethod
    def room(self, now: float) -> float:
        """Requests that may wait for an answer while nothing can be acknowledged; infinite while it can."""

    @abstractmethod
    def take(self, now: float, seconds: float, sent: float, acknowledged: float) -> None:
        """Samples of a step that were sent, and those of them that were acknowledged."""

    @abstractmethod
    def calm(self) -> bool:
        """Whether nothing will change until the next planned moment."""

    @abstractmethod
    def behind(self, now: float) -> tuple[float, float]:
        """Age in seconds of the oldest acknowledged sample that no query finds, and how many there are."""

    @abstractmethod
    def memory(self) -> float:
        """Bytes of all nodes, where an open segment or a head is full."""

    @abstractmethod
    def cores(self) -> Cores:
        """At the base rate."""

    @abstractmethod
    def zone_bytes(self) -> float:
        """That go from zone to zone for a sample."""

    @abstractmethod
    def disk_bytes(self) -> float:
        """That are held on disks of the write path, at the base rate."""

    def at(self, moment: float, action: Callable[[float], None], *, part: bool = True) -> None:
        """Plans it; as a part of what was begun, which has not ended before, or as what comes of it later."""
        self._plan.append((moment, action, part))
        self._plan.sort(key=lambda each: each[0])

    def begin(self, event: Event, now: float) -> None:
        if isinstance(event, Roll):
            self._rolling = self.batches()
        else:
            self.befall(event, now)

    def advance(self, now: float) -> None:
        """Does what was planned for this moment."""
        while self._plan and self._plan[0][0] <= now:
            self._plan.pop(0)[1](now)
        if all(self.recovered(node) for node in self._rolled):
            self._rolled = self._rolling.pop(0) if self._rolling else []
            for node in self._rolled:
                self.restart(node, now)

    @property
    def busy(self) -> bool:
        """Whether something that was begun has not ended."""
        return bool(self._rolling or self._rolled or any(part for *_, part in self._plan))

    def next_change(self) -> float:
        return self._plan[0][0] if self._plan else inf

    def head_seconds(self, now: float) -> float:
        """How far back a Prometheus head goes."""
        return self.given.head_least + (self.clock + now) % self.given.head_range
