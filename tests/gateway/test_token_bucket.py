"""What passes a bucket over time, whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.token_bucket import TokenBucket


def test_a_new_bucket_is_full_and_pays_for_a_burst() -> None:
    bucket = TokenBucket(now=5.0)
    assert bucket.wait(10, 100, 5.0) == 0
    bucket.take(100)
    assert bucket.wait(10, 100, 5.0) == pytest.approx(0.1)  # until there is one token


def test_a_request_larger_than_the_burst_passes_and_is_paid_for_afterwards() -> None:
    bucket = TokenBucket(now=0.0)
    assert bucket.wait(10, 20, 0.0) == 0
    bucket.take(520)
    assert bucket.wait(10, 20, 0.0) == pytest.approx(50.1)
    assert bucket.wait(10, 20, 50.0) == pytest.approx(0.1)
    assert bucket.wait(10, 20, 50.2) == 0


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(now=0.0)
    bucket.wait(10, 100, 0.0)
    bucket.take(100)
    bucket.give_back(100)
    assert bucket.wait(10, 100, 0.0) == 0


def test_other_limits_hold_at_once() -> None:
    bucket = TokenBucket(now=0.0)
    bucket.wait(10, 1000, 0.0)
    bucket.take(11)
    assert bucket.wait(10, 5, 0.0) == 0
    bucket.take(15)
    assert bucket.wait(10, 5, 0.0) == pytest.approx(1.1)
    assert bucket.wait(1000, 5, 0.0) == pytest.approx(0.011)


def test_a_burst_of_less_than_one_sample_lets_one_through() -> None:
    bucket = TokenBucket(now=0.0)
    assert bucket.wait(0.01, 0.1, 0.0) == 0


requests = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), min_size=1, max_size=60)


@given(requests, st.integers(1, 200), st.integers(1, 400))
def test_no_more_passes_than_rate_burst_and_one_request(sent: list[tuple[float, int]], rate: int, burst: int) -> None:
    bucket, now, passed = TokenBucket(0.0), 0.0, 0
    for pause, samples in sent:
        now += pause
        if bucket.wait(rate, burst, now) == 0:
            bucket.take(samples)
            passed += samples
            assert passed <= rate * now + burst + samples + 1e-6


@given(requests, st.integers(1, 200), st.integers(1, 400))
def test_who_waits_as_told_is_let_in(sent: list[tuple[float, int]], rate: int, burst: int) -> None:
    bucket, now = TokenBucket(0.0), 0.0
    for _, samples in sent:
        now += bucket.wait(rate, burst, now) * (1 + 1e-9) + 1e-9
        assert bucket.wait(rate, burst, now) == 0
        bucket.take(samples)
