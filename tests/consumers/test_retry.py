import threading

import pytest

from consumers.retry import Abandoned, Backoff, Retry
from forebay.errors import Fatal, Retryable


def test_waits_double_up_to_the_longest_with_jitter() -> None:
    backoff = Backoff(1.0, 8.0)
    for bound in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert bound / 2 <= backoff.failed() <= bound
    backoff.succeeded()
    assert backoff.failed() <= 1.0


def _retry(stop: threading.Event, told: list[str]) -> Retry:
    return Retry(stop, lambda: Backoff(0.0001, 0.0001), lambda error, _wait: told.append(str(error)))


def test_it_tries_until_it_succeeds_and_tells_of_each_failure() -> None:
    told: list[str] = []

    def attempt() -> str:
        if len(told) < 3:
            raise Retryable(f"no {len(told)}")
        return "done"

    assert _retry(threading.Event(), told).until_done(attempt) == "done"
    assert told == ["no 0", "no 1", "no 2"]


def test_it_ends_where_nobody_wants_it_any_more() -> None:
    stop = threading.Event()

    def attempt() -> None:
        stop.set()
        raise Retryable("no")

    with pytest.raises(Abandoned):
        _retry(stop, []).until_done(attempt)


def test_what_will_never_succeed_is_not_tried_again() -> None:
    told: list[str] = []

    def attempt() -> None:
        raise Fatal("never")

    with pytest.raises(Fatal):
        _retry(threading.Event(), told).until_done(attempt)
    assert told == []
