"""Limits tried beside those in force: a gateway's requests are shown to a trial, on a thread of its own.

A trial costs about what routing costs, once more. Requests do not wait for it: where it falls behind, it skips some.
"""

import contextlib
import queue
import threading
from typing import NamedTuple

import msgspec

from forebay.clock import Clock
from forebay.errors import ForebayError
from gateway.trial import Trial
from gateway.trial_report import TrialReport

QUEUE_BYTES = 32 << 20
"""Of bodies that wait to be judged."""
KEPT_SECONDS = 300.0
"""How long a report stays after the end."""
_IDLE_SECONDS = 5.0


class TrialRefused(ForebayError):
    """Another trial is going on, or there is none of this id."""


class Shown(NamedTuple):
    """A request that is about to be routed; its body is not changed any more."""

    tenant: str
    body: bytes | bytearray | memoryview
    at_ms: int
    message: int = 1
    """As `TenantPolicy.route`."""


class LiveTrial:
    """One trial at a time in this process. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._trial: Trial | None = None
        self._id = ""
        self._ends = 0.0
        self._waiting = 0
        self._skipped = 0
        self._shown: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()

    @property
    def running(self) -> bool:
        """Whether it wants to be shown requests."""
        return self._trial is not None and self._clock.monotonic() < self._ends

    def start(self, trial_id: str, trial: Trial, seconds: float) -> None:
        """Begins, and ends by itself after `seconds`, though its report stays. Raises TrialRefused."""
        with self._lock:
            if self.running:
                raise TrialRefused("another trial of limits is going on", hint="wait for its end, an hour at most")
            self._forget()
            self._id, self._trial, self._ends = trial_id, trial, self._clock.monotonic() + seconds
            self._waiting = self._skipped = 0
            shown = self._shown = queue.SimpleQueue()
            threading.Thread(target=self._judge, args=(trial, shown), name="trial", daemon=True).start()

    def show(self, shown: Shown) -> None:
        """Does not block."""
        if self._trial is None:
            return
        with self._lock:
            if not self.running:
                return
            if self._waiting + len(shown.body) > QUEUE_BYTES:
                self._skipped += 1
                return
            self._waiting += len(shown.body)
            self._shown.put(shown)

    def report(self, trial_id: str) -> TrialReport:
        """Of what was judged so far. Blocks for as long as that takes to be added up. Raises TrialRefused."""
        with self._lock:
            trial, skipped = self._of(trial_id), self._skipped
        return msgspec.structs.replace(trial.report(), skipped=skipped)

    def stop(self, trial_id: str) -> None:
        """Ends it and forgets it. Raises TrialRefused."""
        with self._lock:
            self._of(trial_id)
            self._forget()

    def _of(self, trial_id: str) -> Trial:
        if self._trial is None or trial_id != self._id:
            raise TrialRefused("there is no such trial of limits", hint="the gateway was restarted, or another began")
        return self._trial

    def _forget(self) -> None:
        self._trial, self._id = None, ""
        self._shown.put(None)

    def _judge(self, trial: Trial, shown: "queue.SimpleQueue[Shown | None]") -> None:
        while True:
            try:
                each = shown.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                if self._is_over(trial):
                    return
                continue
            if each is None:
                return
            with contextlib.suppress(MemoryError):
                trial.judge(each.tenant, each.body, each.at_ms, message=each.message)
            with self._lock:
                if trial is self._trial:
                    self._waiting -= len(each.body)

    def _is_over(self, trial: Trial) -> bool:
        """Long enough for nobody to want its report any more; forgets it."""
        with self._lock:
            if trial is self._trial and self._clock.monotonic() > self._ends + KEPT_SECONDS:
                self._forget()
            return trial is not self._trial
