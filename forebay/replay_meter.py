"""How far a replay is, and where."""

from typing import TextIO

from consumers.replay_range import Span
from forebay.clock import Clock
from forebay.meter import Meter


class ReplayMeter:
    """Counts in offsets."""

    def __init__(self, stream: TextIO, clock: Clock, total: int) -> None:
        self._meter = Meter(stream, clock, "replay", total)
        self._before = 0
        """Offsets of spans that are done."""
        self._span = Span("", 0, 0, 0)
        self._at = 0

    def begin(self, span: Span) -> None:
        """The span before is done."""
        self._before += self._span.end - self._span.start
        self._span = span
        self._at = span.start
        self._show()

    def advance(self, partition: int, offset: int) -> None:
        """Cheap enough for every read. Never goes back within a span."""
        if partition == self._span.partition:
            self._at = max(self._at, min(offset, self._span.end))
        self._show()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._meter.say(text)

    def clear(self) -> None:
        """Takes the moving line away."""
        self._meter.clear()

    def _show(self) -> None:
        where = f"partition={self._span.partition} offset={self._at} "
        self._meter.show(self._before + self._at - self._span.start, where)
