"""Senders under refusals that hypothesis makes, and who takes their requests in."""

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.front import Front
from forebay.scenarios.senders import Senders

GIVEN = Calibration()
_RATE = 100_000.0


def constant(share: float) -> Callable[[float], float]:
    return lambda _: share


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100))
def test_what_is_offered_is_acknowledged_or_waits(seconds: list[tuple[float, bool]]) -> None:
    senders = Senders(2, GIVEN)
    for share, stands in seconds:
        sent, acknowledged = senders.send(_RATE, 1.0, constant(share), 0.0 if stands else inf)
        assert 0 <= acknowledged <= sent
        assert senders.acknowledged + senders.waiting == pytest.approx(senders.offered, rel=1e-9)
    assert senders.failed_requests >= 0


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 0.95))
def test_what_is_short_is_used_to_the_full(part: float) -> None:
    """Tries and failures balance where as much is acknowledged as there is capacity for."""
    capacity = part * _RATE
    senders = Senders(1, GIVEN)
    for _ in range(60):
        _, acknowledged = senders.send(_RATE, 1.0, lambda rate: max(0.0, 1 - capacity / rate), inf)
    assert acknowledged == pytest.approx(capacity, rel=0.02)


def test_a_backlog_is_sent_once_it_can_be() -> None:
    senders = Senders(1, GIVEN)
    for _ in range(30):
        senders.send(_RATE, 1.0, lambda _: 1.0, inf)
    assert senders.waiting == 30 * _RATE
    failed = senders.failed_requests
    for _ in range(30):
        senders.send(_RATE, 1.0, lambda _: 0.0, inf)
    assert senders.calm
    assert senders.failed_requests == failed > 0


def test_who_fails_waits_before_the_next_try() -> None:
    senders = Senders(1, GIVEN)
    for _ in range(60):
        sent, _ = senders.send(_RATE, 1.0, lambda _: 1.0, inf)
    assert sent / GIVEN.request_samples == pytest.approx(GIVEN.sender_shards / GIVEN.sender_backoff)


def test_who_finds_room_fails_no_request() -> None:
    senders = Senders(1, GIVEN)
    for _ in range(60):
        senders.send(_RATE, 1.0, lambda _: 0.0, GIVEN.sender_shards)
    assert senders.failed_requests == 0
    assert senders.waiting == 60 * _RATE


def test_a_front_is_scaled_a_while_after_it_is_full() -> None:
    front = Front(_RATE, 10_000, GIVEN)
    assert front.refused(_RATE) == 0
    over = 3 * _RATE
    for now in range(int(GIVEN.gateway_scaled_after)):
        front.watch(now, over)
        assert front.refused(over) > 0.3
    front.watch(GIVEN.gateway_scaled_after, over)
    assert front.refused(over) == 0
    assert front.cores == pytest.approx(over / 10_000 / GIVEN.busy, abs=1)


def test_a_front_that_was_full_for_a_moment_is_left_as_it_is() -> None:
    front = Front(_RATE, 10_000, GIVEN)
    cores = front.cores
    for now in range(200):
        front.watch(now, 3 * _RATE if now % 50 < 40 else _RATE)
    assert front.cores == cores
