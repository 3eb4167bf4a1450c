"""Which metric scales consumers best: the same day on the same consumers, with a scaler that sees one metric."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, fsum
from typing import NamedTuple

from forebay.scenarios.autoscaler import SYNC_SECONDS, Autoscaler, Behavior
from forebay.scenarios.calibration import Calibration
from forebay.scenarios.day import DAY, EVENTS, HOUR, STEP_AT, factor
from forebay.scenarios.event import Scale
from forebay.scenarios.forebay_design import ForebayDesign, Group, held
from forebay.scenarios.size import Size

STEP_SECONDS = 5
"""Of the model; a scaler looks at every third."""
_POLL_SECONDS = 30
_RATE_SECONDS = 300
_CPU_SECONDS = 60
_SERIES = 30_000_000
_GROUP = Group(partitions=64)
_FIRST = 4
_LAG_SECONDS = 30.0
"""Of a consumer's share, that scalers on lag in records or seconds let wait."""
BEHIND = 60.0
"""Seconds from which on a reader is said to be behind."""

BEHAVIORS = {
    "slow": Behavior(up_window=120, up_pods=2, up_period=300, down_window=3600, down_pods=1, down_period=600),
    "prompt": Behavior(up_window=0, up_pods=4, up_period=60, down_window=1800, down_pods=1, down_period=300),
}


class Reading(NamedTuple):
    """What a scaler could see; samples."""

    arrived: float
    """A second, over five minutes."""
    busy: float
    """Of a consumer's core, over a minute."""
    memory: float
    """Of a consumer, at its most since it started: a process keeps what it once needed."""
    lag: float
    lag_seconds: float
    uncommitted: float
    """The group's lag, as Kafka's tools see it: what is read and not published counts too."""


@dataclass(frozen=True)
class Metric:
    name: str
    ratio: Callable[[Reading, int, Calibration], float]
    """To its target, for a number of consumers."""


def _capacity(given: Calibration) -> float:
    """Samples a second that one consumer is meant to take."""
    return given.busy * given.consumer_rate


def _memory_target(given: Calibration) -> float:
    consumers = _SERIES / given.scrape_seconds / _capacity(given)
    opened = _GROUP.partitions * _GROUP.segment_bytes / given.record_sample
    return held(given, 1, _SERIES / consumers, opened / consumers)


METRICS = (
    Metric("ingest rate", lambda see, now, given: see.arrived / (now * _capacity(given))),
    Metric("CPU", lambda see, _now, given: see.busy / given.busy),
    Metric("memory", lambda see, _now, given: see.memory / _memory_target(given)),
    Metric("lag, records", lambda see, now, given: see.lag / (now * _capacity(given) * _LAG_SECONDS)),
    Metric("lag, seconds", lambda see, _now, _given: see.lag_seconds / _LAG_SECONDS),
    Metric("group's lag", lambda see, now, given: see.uncommitted / (now * _capacity(given) * _GROUP.segment_seconds)),
)


class Minute(NamedTuple):
    at: float
    consumers: int
    needed: int
    behind: float


class Scaled(NamedTuple):
    """A day with one metric."""

    metric: str
    behavior: str
    changes: int
    reversals: int
    """Changes against the one before, within an hour."""
    most: int
    """Consumers at once; `most_needed` is what the load asked for at most."""
    most_needed: int
    hours: float
    """Of consumers, and what the load needed."""
    hours_needed: float
    partitions_moved: int
    minutes_behind: float
    most_behind: float
    step_recovered: float
    """Seconds from the step until readers were not behind any more for an hour; 0 where they never were."""
    minutes: list[Minute]


def scale(metric: Metric, behavior: str, seed: int, given: Calibration) -> Scaled:
    """The same arguments give the same day."""
    return _Day(metric, behavior, seed, given).run()


class _Day:
    def __init__(self, metric: Metric, behavior: str, seed: int, given: Calibration) -> None:
        self._metric, self._behavior, self._given = metric, behavior, given
        chance = random.Random(seed)  # noqa: S311 - a model's dice, which must fall alike again
        self._design = ForebayDesign(Size(_FIRST, _SERIES), given, chance, _GROUP)
        self._scaler = Autoscaler(BEHAVIORS[behavior], _FIRST)
        self._rates: deque[float] = deque(maxlen=_RATE_SECONDS // STEP_SECONDS)
        self._busy: deque[float] = deque(maxlen=_CPU_SECONDS // STEP_SECONDS)
        self._memory = 0.0
        self._sizes: list[tuple[float, int]] = []
        self._looks: list[Minute] = []

    def run(self) -> Scaled:
        events = list(EVENTS)
        ratio = 1.0
        for step in range(int(DAY) // STEP_SECONDS):
            now = float(step * STEP_SECONDS)
            if events and now >= events[0][0]:
                self._design.begin(events.pop(0)[1], now)
            behind, lag = self._live(now)
            if now % _POLL_SECONDS == 0:
                ratio = self._metric.ratio(self._read(now, behind, lag), self._scaler.replicas, self._given)
            if now % SYNC_SECONDS == 0 and now >= _RATE_SECONDS:
                self._sync(now, ratio)
            needed = max(2, ceil(factor(now) * self._design.base_rate / _capacity(self._given)))
            self._looks.append(Minute(now, self._scaler.replicas, needed, behind))
        return self._result()

    def _live(self, now: float) -> tuple[float, float]:
        """A step; how far behind readers are, in seconds and samples."""
        design, readers = self._design, self._design.readers
        design.rate = factor(now) * design.base_rate
        design.advance(now)
        arrived, worked = design.rate * STEP_SECONDS, readers.worked
        design.take(now, STEP_SECONDS, arrived, arrived)
        self._rates.append(design.rate)
        self._busy.append((readers.worked - worked) / STEP_SECONDS / design.nodes)
        return design.behind(now + STEP_SECONDS)

    def _read(self, now: float, behind: float, lag: float) -> Reading:
        design = self._design
        opened = fsum(design.opened(partition, now) for partition in range(_GROUP.partitions))
        self._memory = max(self._memory, held(self._given, design.nodes, _SERIES, opened) / design.nodes)
        return Reading(
            fsum(self._rates) / len(self._rates),
            fsum(self._busy) / len(self._busy),
            self._memory,
            lag,
            behind,
            opened + lag,
        )

    def _sync(self, now: float, ratio: float) -> None:
        before = self._scaler.replicas
        after = self._scaler.sync(now, ratio)
        if after != before:
            self._sizes.append((now, after - before))
            self._design.begin(Scale(after), now)

    def _result(self) -> Scaled:
        looks, hour = self._looks, STEP_SECONDS / HOUR
        behind = [look for look in looks if look.behind > BEHIND]
        turns = zip(self._sizes, self._sizes[1:], strict=False)
        after_step = [look.at for look in behind if STEP_AT <= look.at < STEP_AT + 2 * HOUR]
        return Scaled(
            metric=self._metric.name,
            behavior=self._behavior,
            changes=len(self._sizes),
            reversals=sum(one[1] * two[1] < 0 and two[0] - one[0] < HOUR for one, two in turns),
            most=max(look.consumers for look in looks),
            most_needed=max(look.needed for look in looks),
            hours=sum(look.consumers for look in looks) * hour,
            hours_needed=sum(look.needed for look in looks) * hour,
            partitions_moved=len(self._design.takeovers),
            minutes_behind=len(behind) * STEP_SECONDS / 60,
            most_behind=max(look.behind for look in looks),
            step_recovered=after_step[-1] - STEP_AT if after_step else 0.0,
            minutes=looks[:: 60 // STEP_SECONDS],
        )
