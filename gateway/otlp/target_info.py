"""target_info: one series per resource that carries its attributes, to be joined with the resource's others."""

from collections.abc import Mapping

_INTERVAL_NS = 150 * 1_000_000_000
"""Half of PromQL's default lookback, so that a query finds a sample anywhere between the first and the last."""
_MS = 1_000_000
MAX_BETWEEN = 100_000
"""Samples of one request that lie between a resource's first and last: a bound on what a hostile request may cause."""


class Span:
    """The times of a resource's points, in ns; those that could not be stored are not looked at."""

    __slots__ = ("_high", "_low", "first", "last")

    def __init__(self, min_time: int, max_time: int) -> None:
        """Bounds in ms."""
        self._low, self._high = min_time * _MS, max_time * _MS + _MS - 1
        self.first = self.last = -1

    def see(self, nanoseconds: int) -> None:
        if nanoseconds == self.last or not self._low <= nanoseconds <= self._high:
            return
        if self.last < 0:
            self.first = self.last = nanoseconds
        elif nanoseconds > self.last:
            self.last = nanoseconds
        elif nanoseconds < self.first:
            self.first = nanoseconds

    def clear(self) -> None:
        """For the next resource."""
        self.first = self.last = -1


class TargetInfo:
    """The times that target_info series of one request still need."""

    def __init__(self) -> None:
        self._seen: dict[frozenset[tuple[str, str]], set[int]] = {}
        self._between = MAX_BETWEEN

    def times(self, labels: Mapping[str, str], span: Span) -> list[int]:
        """In ms, ascending: the span's beginning, every interval, and its end; without those that were given before."""
        wanted = [span.last // _MS]
        if span.first < span.last:
            between = range(span.first, span.last, _INTERVAL_NS)[: self._between]
            self._between -= len(between)
            wanted = [at // _MS for at in between] + wanted
        seen = self._seen.setdefault(frozenset(labels.items()), set())
        new = sorted({at for at in wanted if at not in seen})
        seen.update(new)
        return new
