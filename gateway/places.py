"""How many requests may be at work at a time, found out from how long each takes.

By Little's law, more at work than the log can take makes each take longer and gets no more done. So where the mean time
of the last moment is above the target, there are as many places as would have met it; where it is below and they were
all needed, there are some more.

The target is the settings', or twice the least that a request takes with hardly any other at work, where the log is
slower than that by nature. What that least is must have been seen within a minute: where it was not, there are few
places for as long as it takes to see. Where there are few places already, and requests still take longer, that is no
longer true: fewer would get less done and nothing sooner. So for a moment what they take then counts in its place.
"""

from collections import deque

FEW = 8
"""Requests at work that hardly matter to each other, and the least number of places."""
_FIRST = 32
_MOMENT_SECONDS = 0.1
_ENOUGH = 10
"""Requests that a mean is taken of, and that are looked at with few others."""
_LATELY_SECONDS = 60.0
_SLOW_SECONDS = 10.0
"""For how long a log is taken to be as slow as it was with few places."""
_GROWTH = 1.1
_GROWTH_WHILE_SLOW = 1.5
"""From few places on, and with moments as long as requests take."""
_SLOWEST = 0.5
"""The least share of places that one moment leaves."""


class Places:
    """For one event loop. `count` changes as requests end."""

    def __init__(self, most: int, target: float, first: int = _FIRST) -> None:
        self.count = min(most, first)
        self.most = most
        self._target = target
        self._began = 0.0
        self._sum = 0.0
        self._ended = 0
        self._needed = False
        self._least: deque[tuple[float, float]] = deque()
        """(when, seconds), of requests with few others: the least of all that ended later, ascending."""
        self._before_look: tuple[int, float] | None = None
        """Places and mean time from before there were few places only to see what a request takes then."""
        self._seen = 0
        self._slow: tuple[float, float] = (0.0, 0.0)
        """Until when the log is taken to be slow, and the mean time that it took with few places."""

    def needed(self) -> None:
        """Somebody waits, and no place is free for it."""
        self._needed = True

    def ended(self, now: float, seconds: float, at_work: int) -> None:
        """A request ends that was at work for so long, and had begun as one of so many."""
        if at_work <= FEW:
            while self._least and self._least[-1][1] >= seconds:
                self._least.pop()
            self._least.append((now, seconds))
            self._seen += 1
        self._sum += seconds
        self._ended += 1
        if self._ended >= _ENOUGH and now - self._began >= _MOMENT_SECONDS:
            self._adjust(now, self._sum / self._ended)
            self._began, self._sum, self._ended, self._needed = now, 0.0, 0, False

    def _adjust(self, now: float, mean: float) -> None:
        while self._least and self._least[0][0] < now - _LATELY_SECONDS:
            self._least.popleft()
        if self._before_look is not None:
            if self._seen < _ENOUGH:
                return
            self.count, mean = self._before_look
            self._before_look = None
        if mean > self._target and not self._least:
            self._before_look = self.count, mean
            self.count, self._seen = min(FEW, self.most), 0
            return
        target = max(self._target, 2 * self._least[0][1]) if self._least else self._target
        until, slow = self._slow
        growth = _GROWTH
        if now < until:
            target, growth = max(target, 2 * slow), _GROWTH_WHILE_SLOW
        fewest = min(FEW, self.most)
        if mean > target:
            if self.count == fewest:
                self._slow = now + _SLOW_SECONDS, mean
            self.count = max(fewest, int(self.count * max(_SLOWEST, target / mean)))
        elif self._needed:
            self.count = min(self.most, int(self.count * growth) + 1)
