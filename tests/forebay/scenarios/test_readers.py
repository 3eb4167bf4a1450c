"""Partitions and their owners, under plans that hypothesis makes."""

import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.scenarios.balance import balanced
from forebay.scenarios.readers import Readers
from forebay.scenarios.shares import shares_of

_RATE = 1000.0


class Stop(NamedTuple):
    at: int
    partition: int
    seconds: int
    rebuild: float
    to: int


_PLANS = st.lists(
    st.builds(
        Stop, st.integers(0, 60), st.integers(0, 11), st.integers(0, 40), st.floats(0, 5000), to=st.integers(0, 3)
    ),
    max_size=8,
)


def played(plan: list[Stop], capacity: float, *, slow: float = 1.0, seconds: int = 120) -> Readers:
    """At the end; sums are held to each other after each second. The last one of the four owners is `slow`."""
    readers = Readers(shares_of(12, 10_000, random.Random(1)), [p % 4 for p in range(12)], capacity)
    readers.speed[3] = slow
    for now in range(seconds):
        for stop in plan:
            if stop.at == now:
                behind = readers.unsettle(stop.partition)
                behind.resumes, behind.rebuild = now + stop.seconds, stop.rebuild
                readers.move([stop.partition], [stop.to])
        readers.step(now, 1.0, _RATE)
        assert readers.produced == pytest.approx((now + 1) * _RATE, rel=1e-9)
        assert readers.produced == pytest.approx(readers.consumed + readers.lag, rel=1e-9)
        for each in readers.behind.values():
            assert each.lag >= -1e-6
            assert each.rebuild >= 0
            assert sum(samples for _, samples in each.arrivals) == pytest.approx(each.lag, abs=1e-3)
    return readers


@settings(deadline=None, max_examples=50)
@given(_PLANS, st.floats(50, 5000), st.floats(0.01, 1))
def test_every_sample_is_consumed_or_waits(plan: list[Stop], capacity: float, slow: float) -> None:
    played(plan, capacity, slow=slow)


@settings(deadline=None, max_examples=50)
@given(_PLANS)
def test_who_has_time_to_spare_catches_up(plan: list[Stop]) -> None:
    readers = played(plan, capacity=10 * _RATE)
    assert readers.lag == 0
    assert readers.behind == {}


@settings(deadline=None, max_examples=50)
@given(st.floats(20, 900), st.floats(1, 3), st.floats(0.01, 1))
def test_more_capacity_is_never_further_behind(capacity: float, factor: float, slow: float) -> None:
    less, more = (played([], each, slow=slow) for each in (capacity, factor * capacity))
    assert more.lag <= less.lag + 1e-3


def test_too_few_fall_behind_by_what_is_missing() -> None:
    readers = played([], capacity=_RATE / 4 * 0.5, seconds=100)
    assert readers.lag == pytest.approx(0.5 * 100 * _RATE, rel=0.01)


def test_more_consumers_are_never_worse_in_the_long_run() -> None:
    lags = []
    for owners in range(1, 13):
        readers = Readers(shares_of(12, 10**9, random.Random(1)), [p % owners for p in range(12)], 150.0)
        for now in range(600):
            readers.step(now, 1.0, _RATE)
        lags.append(readers.lag)
    assert lags == sorted(lags, reverse=True)
    assert lags[0] > 0
    assert lags[-1] == 0


def test_a_sample_waits_from_when_it_came() -> None:
    readers = Readers([1.0], [0], 100.0)
    readers.unsettle(0).resumes = 10
    for now in range(10):
        readers.step(now, 1.0, 50.0)
    assert readers.behind[0].age(10) == 10
    readers.step(10, 1.0, 50.0)  # takes 100: the first two seconds'
    assert readers.behind[0].age(11) == 9


def test_what_is_hot_comes_on_top() -> None:
    readers = Readers([0.5, 0.5], [0, 1], 80.0)
    readers.extra[1] = 60.0
    for now in range(10):
        readers.step(now, 1.0, 100.0)
    assert readers.produced == pytest.approx(1600)
    assert readers.behind[1].lag == pytest.approx(10 * (50 + 60 - 80))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 20))
def test_partitions_are_even_and_move_no_more_than_they_must(count: int, before: int, after: int) -> None:
    owners = balanced([0] * count, list(range(before)))
    new = balanced(owners, list(range(after)))
    held = [new.count(member) for member in range(after)]
    assert max(held) - min(held) <= 1
    moved = sum(one != other for one, other in zip(owners, new, strict=True))
    gained = sum(max(0, new.count(member) - owners.count(member)) for member in range(after))
    assert moved == gained  # whoever got one had too few
    if before <= after:
        assert all(owner >= before for one, owner in zip(owners, new, strict=True) if one != owner)
