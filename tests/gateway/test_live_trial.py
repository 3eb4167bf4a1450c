"""A trial beside the limits in force: it sees what the gateway routes, and nobody waits for it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from forebay.clock import ManualClock
from gateway.limits import LimitSettings
from gateway.live_trial import KEPT_SECONDS, LiveTrial, Shown, TrialRefused
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.trial import Trial
from gateway.trial_report import TrialReport
from tests.gateway.requests import NOW_MS, message

BODY = message(({"__name__": "wide", "a": "1", "b": "2"}, [(NOW_MS, 1.0)]))


def new_trial() -> Trial:
    return Trial(Policies(LimitSettings(max_label_pairs=2), HaSettings(), 4), 4, NOW_MS)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def judged(live: LiveTrial, count: int) -> TrialReport:
    wait_for(lambda: live.report("one").requests == count)
    return live.report("one")


def test_what_it_is_shown_is_judged_while_it_lasts(clock: ManualClock) -> None:
    live = LiveTrial(clock)
    live.show(Shown("a", BODY, NOW_MS))
    assert not live.running
    live.start("one", new_trial(), 60)
    for tenant in ("a", "b", "a"):
        live.show(Shown(tenant, BODY, NOW_MS))
    report = judged(live, 3)
    assert {each.report.tenant: each.report.samples for each in report.tenants} == {"a": 2, "b": 1}
    clock.advance(61)
    live.show(Shown("a", BODY, NOW_MS))
    assert (live.running, live.report("one").requests) == (False, 3)
    live.stop("one")
    with pytest.raises(TrialRefused, match="no such trial"):
        live.report("one")


def test_one_at_a_time(clock: ManualClock) -> None:
    live = LiveTrial(clock)
    live.start("one", new_trial(), 60)
    with pytest.raises(TrialRefused, match="another trial"):
        live.start("two", new_trial(), 60)
    with pytest.raises(TrialRefused, match="no such trial"):
        live.stop("two")
    live.stop("one")
    live.start("two", new_trial(), 60)
    clock.advance(61)
    live.start("three", new_trial(), 60)
    live.stop("three")


def test_a_trial_that_falls_behind_skips(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.live_trial.QUEUE_BYTES", 3 * len(BODY))
    gate = threading.Event()

    class Slow(Trial):
        def judge(self, *args: Any, **given: Any) -> None:
            gate.wait(10)
            super().judge(*args, **given)

    live = LiveTrial(clock)
    live.start("one", Slow(Policies(LimitSettings(), HaSettings(), 4), 4, NOW_MS), 60)
    for _ in range(10):
        live.show(Shown("a", BODY, NOW_MS))
    gate.set()
    report = judged(live, 3)
    assert report.skipped == 7
    live.show(Shown("a", BODY, NOW_MS))
    judged(live, 4)
    live.stop("one")


def test_a_report_that_nobody_fetches_is_forgotten(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.live_trial._IDLE_SECONDS", 0.01)
    live = LiveTrial(clock)
    live.start("one", new_trial(), 60)
    clock.advance(60 + KEPT_SECONDS - 1)
    time.sleep(0.05)
    assert live.report("one").requests == 0
    clock.advance(2)

    def gone() -> bool:
        try:
            live.report("one")
        except TrialRefused:
            return True
        return False

    wait_for(gone)
    wait_for(lambda: not any(thread.name == "trial" for thread in threading.enumerate()))
