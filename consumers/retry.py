"""Trying again: waits that grow, with jitter, and end at once where the work is no longer wanted."""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from forebay.errors import ForebayError, Retryable

T = TypeVar("T")


class Abandoned(ForebayError):
    """Whoever asked for it does not want it any more."""


class Backoff:
    """The waits between attempts: doubling from `first` to `longest` seconds, each drawn from its upper half."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0

    def failed(self) -> float:
        """Seconds to wait before the next attempt."""
        bound = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return bound * (0.5 + random.random() / 2)  # noqa: S311 - spreads attempts, guards nothing

    def succeeded(self) -> None:
        self._failures = 0


class Retry:
    """Attempts of one piece of work; given up once `stop` is set."""

    def __init__(
        self, stop: threading.Event, backoff: Callable[[], Backoff], failed: Callable[[Retryable, float], None]
    ) -> None:
        self._stop = stop
        self._backoff = backoff
        self._failed = failed  # told of each failure, and of the wait in seconds that follows

    def until_done(self, attempt: Callable[[], T]) -> T:
        """Blocks until `attempt` returns. Raises Abandoned once `stop` is set, and what `attempt` raises otherwise."""
        backoff = self._backoff()
        while not self._stop.is_set():
            try:
                return attempt()
            except Retryable as error:
                wait = backoff.failed()
                self._failed(error, wait)
                self._stop.wait(wait)
        raise Abandoned("no longer wanted")
