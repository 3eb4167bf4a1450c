"""The plan of a storm: a function of its seed. Pure."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.chaos.cluster import SESSION_SECONDS, Cast


class Tempo(NamedTuple):
    """How fast it goes; seconds."""

    gap: float
    """Between the beginnings of two events, on average."""
    outage: float
    """How long a broker or store is gone at most."""
    events: int
    without: frozenset[str] = frozenset()
    """Kinds that do not come."""


SLICE = Tempo(gap=1.5, outage=5.0, events=18, without=frozenset({"broker restarted", "broker killed"}))
"""A broker that is gone for a while must do: each start of one takes longer than most of what else happens."""
SHORT = Tempo(gap=1.5, outage=5.0, events=8, without=SLICE.without | {"broker gone", "commits wiped", "commits moved"})
LONG = Tempo(gap=4.5, outage=120.0, events=200)


class Event(NamedTuple):
    at: float
    """Seconds after the storm's beginning; later where another event has a target for longer than was planned."""
    kind: str
    targets: tuple[str, ...]
    seconds: float
    seed: int

    def __str__(self) -> str:
        whom = f" {','.join(self.targets)}" if self.targets else ""
        return f"{self.kind}{whom}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


class Kind(NamedTuple):
    """Who it may befall, how long it lasts, and how often it comes beside the others."""

    targets: Callable[[Cast], Sequence[tuple[str, ...]]]
    seconds: Callable[[random.Random, Tempo], float]
    weight: float = 1.0
    after: float = 0.0
    """Seconds that its targets need before the next event is of any use."""


_BROKER_START = 10.0
_SESSION_END = SESSION_SECONDS + 2


def _each(prefix: str, count: str) -> Callable[[Cast], Sequence[tuple[str, ...]]]:
    return lambda cast: [(f"{prefix}-{number}",) for number in range(getattr(cast, count))]


def _consumers(cast: Cast) -> Sequence[tuple[str, ...]]:
    return [*_each("consumer", "consumers")(cast), *_each("replica", "replicas")(cast)]


def _groups(cast: Cast) -> Sequence[tuple[str, ...]]:
    """A group's members and the broker that keeps its commits."""
    first = ("broker", *(name for (name,) in _each("consumer", "consumers")(cast)))
    second = ("broker", *(name for (name,) in _each("replica", "replicas")(cast)))
    return [first, second] if cast.replicas else [first]


def _one(name: str) -> Callable[[Cast], Sequence[tuple[str, ...]]]:
    return lambda _: [(name,)]


def _within(low: float, high: float) -> Callable[[random.Random, Tempo], float]:
    return lambda chance, _: chance.uniform(low, high)


def _outage(chance: random.Random, tempo: Tempo) -> float:
    """Mostly short; the first of a storm is of full length, see `schedule`."""
    return min(tempo.outage, chance.choice((3.0, 6.0, 15.0)) * chance.uniform(0.7, 1.3))


_AT_ONCE = _within(0, 0)

KINDS: dict[str, Kind] = {
    "gateway killed": Kind(_each("gateway", "gateways"), _within(0, 1.5), 2),
    "gateway restarted": Kind(_each("gateway", "gateways"), _within(0, 1.5)),
    "gateway frozen": Kind(_each("gateway", "gateways"), _within(1, 9)),
    "consumer killed": Kind(_consumers, _within(0, 2), 4),
    "consumer restarted": Kind(_consumers, _within(0, 1), 2),
    "consumer away": Kind(_consumers, _within(SESSION_SECONDS, 3 * SESSION_SECONDS)),
    "consumer frozen": Kind(_consumers, _within(1.3 * SESSION_SECONDS, 2.5 * SESSION_SECONDS), 4),
    "consumer disk wiped": Kind(_consumers, _AT_ONCE, 2),
    "consumer disk lost": Kind(_consumers, _within(0, 1)),
    "compactor killed": Kind(_each("compactor", "compactors"), _within(0, 2)),
    "compactor frozen": Kind(_each("compactor", "compactors"), _within(2, 12)),
    "broker restarted": Kind(_one("broker"), _AT_ONCE, 0.5, after=_BROKER_START),
    "broker killed": Kind(_one("broker"), _AT_ONCE, 0.5, after=_BROKER_START),
    "broker gone": Kind(_one("broker"), _outage, 0.3, after=_BROKER_START),
    "store faulty": Kind(_one("store"), _within(3, 10), 3),
    "store slow": Kind(_one("store"), _within(3, 10), 2),
    "store gone": Kind(_one("store"), _outage, 1.5),
    "commits wiped": Kind(_groups, _AT_ONCE, after=_SESSION_END),
    "commits moved": Kind(_groups, _AT_ONCE, after=_SESSION_END),
    "poison record": Kind(lambda _: [("broker",)], _AT_ONCE),
}
LONGEST = {"broker gone": 0.5, "store gone": 1.0}
"""What comes at its full length once in a storm, as a share of the tempo's outage."""


def schedule(seed: int, cast: Cast, tempo: Tempo) -> list[Event]:
    """Each kind that the cast allows comes once before any comes again, as far as there are events."""
    chance = random.Random(seed)
    kinds = {name: kind for name, kind in KINDS.items() if kind.targets(cast) and name not in tempo.without}
    first = list(kinds)
    chance.shuffle(first)
    rest = chance.choices(list(kinds), [kind.weight for kind in kinds.values()], k=max(0, tempo.events - len(first)))
    longest = dict(LONGEST)
    busy: dict[str, float] = {}
    events, at = [], 0.0
    for name in [*first, *rest][: tempo.events]:
        kind = kinds[name]
        targets = min(
            chance.sample(kind.targets(cast), len(kind.targets(cast))),
            key=lambda names: max(0.0, *(busy.get(each, 0.0) - at for each in names)),
        )
        seconds = tempo.outage * longest.pop(name) if name in longest else kind.seconds(chance, tempo)
        begin = max(at, *(busy.get(each, 0.0) for each in targets))
        events.append(Event(round(begin, 2), name, targets, round(seconds, 2), chance.getrandbits(32)))
        busy |= dict.fromkeys(targets, begin + seconds + kind.after)
        at += chance.uniform(0.2, 1.8) * tempo.gap
    return sorted(events)
