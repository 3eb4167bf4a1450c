"""Partitions of a log and who reads them. Only partitions that are behind cost a step anything."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import NamedTuple

_NOTHING = 1e-6


@dataclass
class Behind:
    """A partition that is not at its log's end."""

    rebuild: float = 0.0
    """Samples that are to be taken again first; they are in the log, and count as consumed."""
    resumes: float = 0.0
    """Nobody reads it before."""
    lag: float = 0.0
    """Samples that nobody took yet."""
    arrivals: deque[tuple[float, float]] = field(default_factory=deque)
    """The same by when they came: (seconds, samples), oldest first."""

    def arrive(self, now: float, samples: float) -> None:
        self.lag += samples
        self.arrivals.append((now, samples))

    def take(self, samples: float) -> None:
        self.lag -= samples
        while self.arrivals and samples >= self.arrivals[0][1]:
            samples -= self.arrivals.popleft()[1]
        if self.arrivals:
            at, rest = self.arrivals[0]
            self.arrivals[0] = at, rest - samples

    def age(self, now: float) -> float:
        """Of the oldest sample that nobody took."""
        return now - self.arrivals[0][0] if self.arrivals else 0.0


AT_THE_END = Behind()


class Step(NamedTuple):
    now: float
    seconds: float
    arrived: float
    """Samples, by the shares of partitions."""
    heat: float
    """Of what is extra, the part that came."""


class Readers:
    """Each partition has an owner, and an owner's capacity goes to those that need it."""

    def __init__(self, shares: Sequence[float], owners: Sequence[int], capacity: float) -> None:
        """`shares` of the load, one for each partition; `capacity` in samples per second of an owner."""
        self.shares = list(shares)
        self.owner = list(owners)
        self.capacity = capacity
        self.rebuild_capacity = capacity
        self.behind: dict[int, Behind] = {}
        self.extra: dict[int, float] = {}
        """Samples a second that come to a partition besides its share."""
        self.speed: dict[int, float] = {}
        """Of owners that do not do what they could."""
        self.produced = 0.0
        self.consumed = 0.0
        self.worked = 0.0
        """Seconds that owners were busy, all together."""
        self._settled: dict[int, float] = {}
        self._settled_sum = 0.0
        self._largest = 0.0
        """Share of the owner that has most."""
        self._count_settled()

    def _count_settled(self) -> None:
        """From scratch, so that no rounding adds up over many moves."""
        self._settled = dict.fromkeys(self.owner, 0.0)
        for partition, share in enumerate(self.shares):
            if partition not in self.behind:
                self._settled[self.owner[partition]] += share
        self._settled_sum = fsum(self._settled.values())
        whole = dict.fromkeys(self.owner, 0.0)
        for owner, share in zip(self.owner, self.shares, strict=True):
            whole[owner] += share
        self._largest = max(whole.values())

    def unsettle(self, partition: int) -> Behind:
        """It is looked at one by one from now on, until it is at its log's end again."""
        if partition not in self.behind:
            self.behind[partition] = Behind()
            self._settled[self.owner[partition]] -= self.shares[partition]
            self._settled_sum -= self.shares[partition]
        return self.behind[partition]

    def reshare(self, shares: Sequence[float], owners: Sequence[int]) -> None:
        """The load is shared out anew; partitions that are new come last."""
        self.shares, self.owner = list(shares), list(owners)
        self._count_settled()

    def move(self, partitions: Iterable[int], owners: Iterable[int]) -> None:
        """Each to the owner beside it."""
        for partition, owner in zip(partitions, owners, strict=True):
            self.unsettle(partition)
            self.owner[partition] = owner
        self._count_settled()

    def of(self, owner: int) -> list[int]:
        return [partition for partition, each in enumerate(self.owner) if each == owner]

    @property
    def lag(self) -> float:
        return fsum(each.lag for each in self.behind.values())

    def step(self, now: float, seconds: float, arrived: float, heat: float = 1.0) -> None:
        """`arrived` samples came by their shares, and `heat` of what is `extra`; owners take what they can."""
        for partition in self.extra:
            self.unsettle(partition)
        of_owner: dict[int, list[int]] = {owner: [] for owner in self._overloaded(arrived / seconds)}
        for owner in of_owner:  # too much for it: all that it has falls behind
            for partition in self.of(owner):
                self.unsettle(partition)
        settled = arrived * self._settled_sum
        self.produced += settled
        self.consumed += settled
        self.worked += settled / self.capacity
        for partition in self.behind:
            of_owner.setdefault(self.owner[partition], []).append(partition)
        for owner, partitions in of_owner.items():
            self._take(owner, partitions, Step(now, seconds, arrived, heat))

    def _overloaded(self, rate: float) -> list[int]:
        """Owners whose settled partitions alone are too much for them."""
        if rate * self._largest <= self.capacity and not self.speed:
            return []
        return [
            owner for owner, share in self._settled.items() if rate * share > self.capacity * self.speed.get(owner, 1.0)
        ]

    def _take(self, owner: int, partitions: Sequence[int], step: Step) -> None:
        now, seconds, arrived, heat = step
        needs = []
        for partition in partitions:
            each = self.behind[partition]
            new = arrived * self.shares[partition] + self.extra.get(partition, 0.0) * seconds * heat
            self.produced += new
            each.arrive(now, new)
            if now >= each.resumes:
                needs.append(each.rebuild / self.rebuild_capacity + each.lag / self.capacity)
            else:
                needs.append(0.0)
        settled = arrived * max(self._settled.get(owner, 0.0), 0.0) / self.capacity
        time = max(0.0, seconds * self.speed.get(owner, 1.0) - settled)
        wanted = fsum(needs)
        part = min(1.0, time / wanted) if wanted else 0.0
        self.worked += wanted * part
        for partition, need in zip(partitions, needs, strict=True):
            each = self.behind[partition]
            mine = need * part
            again = min(each.rebuild, mine * self.rebuild_capacity)
            each.rebuild -= again
            taken = min(each.lag, (mine - again / self.rebuild_capacity) * self.capacity)
            each.take(taken)
            self.consumed += taken
            caught_up = each.lag <= _NOTHING * (1 + arrived) and each.rebuild <= _NOTHING
            if caught_up and now >= each.resumes and partition not in self.extra:
                self.consumed += each.lag
                del self.behind[partition]
                self._settled[owner] = self._settled.get(owner, 0.0) + self.shares[partition]
                self._settled_sum += self.shares[partition]
