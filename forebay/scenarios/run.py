"""A scenario, played: seconds while something happens, and leaps while nothing does."""

import random
from collections.abc import Sequence
from math import inf

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.cost import cost_of
from forebay.scenarios.design import Design
from forebay.scenarios.event import Event
from forebay.scenarios.forebay_design import ForebayDesign
from forebay.scenarios.hashring import Hashring
from forebay.scenarios.ingest_storage import IngestStorage
from forebay.scenarios.log_fed import LogFed
from forebay.scenarios.outcome import Moment, Outcome
from forebay.scenarios.scenario import BEGIN, Scenario
from forebay.scenarios.senders import Senders
from forebay.scenarios.size import Size

DESIGNS: dict[str, type[ForebayDesign | Hashring | IngestStorage]] = {
    each.name: each for each in (ForebayDesign, Hashring, IngestStorage)
}
_STEP, _LEAST = 1.0, 1e-3
_CALM_AFTER = 60.0
_LONGEST = 60 * 86_400.0
_FRESH = 2.0
"""Seconds behind that count as fresh."""
_REFUSING = 0.01


def play(scenario: Scenario, size: Size, design: str, seed: int, given: Calibration) -> Outcome:
    """The same arguments give the same outcome."""
    chance = random.Random(f"{seed} {scenario.name} {size}")  # noqa: S311 - a model's dice, which must fall alike again
    events = scenario.events(size, chance)
    return Play(DESIGNS[design](size, given, chance), Senders(size.senders(given), given)).run(scenario, events, seed)


class Play:
    """Once."""

    def __init__(self, design: Design, senders: Senders) -> None:
        self._design = design
        self._senders = senders
        self._moments: list[Moment] = []
        self._refusing = 0.0
        self._most_lag = 0.0
        self._fresh_at = BEGIN

    def run(self, scenario: Scenario, events: Sequence[Event], seed: int) -> Outcome:
        design, senders = self._design, self._senders
        now, began, done_at = 0.0, False, inf
        while now < min(_LONGEST, done_at + _CALM_AFTER):
            design.advance(now)
            if not began and now >= BEGIN:
                began = True
                for event in events:
                    design.begin(event, now)
                design.advance(now)
            calm = design.calm() and senders.calm and not design.refused(now, design.offered())
            done_at = min(done_at, now) if began and calm and not design.busy else inf
            until = (design.next_change() if done_at == inf else done_at + _CALM_AFTER) if began else BEGIN
            seconds = max(until - now, _LEAST) if calm and until < inf else _STEP
            self._step(now, seconds)
            now += seconds
        readers = design.zones[0] if isinstance(design, LogFed) else None
        memory = max(moment.memory for moment in self._moments)
        return Outcome(
            scenario=scenario.name,
            size=str(design.size),
            series=design.size.series,
            design=design.name,
            seed=seed,
            requests=senders.acknowledged / design.given.request_samples + senders.failed_requests,
            failed_requests=senders.failed_requests,
            refusing_seconds=self._refusing,
            most_behind_seconds=max(moment.behind for moment in self._moments),
            most_lag=self._most_lag,
            fresh_after=self._fresh_at - BEGIN,
            took=done_at - BEGIN,
            copies=design.copies,
            memory_bytes=memory,
            cost=cost_of(design, memory),
            offered=senders.offered,
            acknowledged=senders.acknowledged,
            waiting=senders.waiting,
            produced=readers.produced if readers else 0.0,
            consumed=readers.consumed if readers else 0.0,
            lag=readers.lag if readers else 0.0,
            moments=self._moments,
        )

    def _step(self, now: float, seconds: float) -> None:
        design, senders = self._design, self._senders
        rate = design.offered()
        failed = senders.failed_requests
        sent, acknowledged = senders.send(rate, seconds, lambda rate: design.refused(now, rate), design.room(now))
        design.take(now, seconds, sent, acknowledged)
        failed = senders.failed_requests - failed
        if sent - acknowledged > _REFUSING * sent:
            self._refusing += seconds
        age, lag = design.behind(now + seconds)
        behind = age + senders.waiting / rate
        self._most_lag = max(self._most_lag, lag)
        if behind > _FRESH:
            self._fresh_at = now + seconds
        self._moments.append(Moment(now, failed / seconds, behind, design.memory(), design.nodes))
