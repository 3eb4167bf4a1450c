"""The number of places, over a log that is known: so many requests a second, so fast at best."""

import math
from dataclasses import dataclass

import pytest

from gateway.places import FEW, Places


@dataclass
class Log:
    """Takes `rate` requests a second, each no faster than `least` seconds; `done` counts them."""

    rate: float
    least: float
    done: int = 0

    def seconds(self, at_work: int) -> float:
        return max(self.least, at_work / self.rate)


def run(places: Places, log: Log, seconds: float, demand: float = math.inf, begin: float = 0.0) -> float:
    """Requests that come at `demand` a second, for so long; returns how long each takes at the end."""
    now, took = begin, 0.0
    wanted = demand * log.least
    while now < begin + seconds:
        at_work = int(min(places.count, wanted))
        if wanted > places.count:
            places.needed()
        took = log.seconds(at_work)
        for _ in range(at_work):
            places.ended(now, took, at_work)
        log.done += at_work
        now += took
    return took


def test_a_log_that_has_more_to_do_than_it_can_is_kept_at_the_target() -> None:
    places, log = Places(256, 0.05), Log(400, 0.005)
    run(places, log, 600)
    assert run(places, log, 10, begin=600) == pytest.approx(0.05, rel=0.2)
    assert 16 <= places.count <= 24
    assert log.done > 0.97 * 400 * 610


def test_a_fast_log_gets_all_that_it_can_take_and_no_more_than_the_settings_say() -> None:
    places = Places(100, 0.05)
    run(places, Log(100_000, 0.005), 10)
    assert places.count == 100


def test_a_log_that_is_slow_by_nature_is_not_starved() -> None:
    places, log = Places(256, 0.05), Log(10_000, 0.2)
    run(places, log, 60)
    assert places.count == 256
    log.done = 0
    run(places, log, 600, begin=60)
    assert log.done > 0.97 * 600 * 256 / 0.2


def test_a_log_that_has_become_slow_is_not_starved_though_it_was_fast_a_moment_ago() -> None:
    """Its broker is short of processor time, or far away of a sudden: fewer places would make it no faster."""
    places = Places(256, 0.025)
    run(places, Log(10_000, 0.01), 20)
    slow = Log(10_000, 0.4)
    run(places, slow, 40, begin=20)
    assert slow.done > 0.4 * 40 * 256 / 0.4


def test_a_log_that_has_too_much_to_do_even_with_few_places_has_not_many_more() -> None:
    places, log = Places(256, 0.025), Log(100, 0.005)
    most = 0
    for second in range(60):
        took = run(places, log, 1, begin=second)
        most = max(most, places.count if second > 5 else 0)
        assert took < 0.3
    assert most <= 3 * FEW


def test_places_come_back_when_the_log_does() -> None:
    places = Places(256, 0.05)
    run(places, Log(100, 0.005), 10)
    assert FEW <= places.count <= 20
    run(places, Log(10_000, 0.005), 20, begin=10)
    assert places.count > 200


def test_places_that_nobody_needs_do_not_become_more() -> None:
    places = Places(256, 0.05)
    run(places, Log(1000, 0.005), 60, demand=2000)
    assert places.count == 32


def test_there_are_never_more_than_the_settings_say() -> None:
    places = Places(2, 0.05)
    run(places, Log(10, 0.005), 60)
    assert places.count == 2
