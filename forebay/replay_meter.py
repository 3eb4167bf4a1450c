"""How far a replay is and when it will be done, one line that moves on a terminal, one now and then elsewhere."""

from typing import TextIO

from consumers.replay_range import Span
from forebay.clock import Clock


class ReplayMeter:
    """Counts in offsets."""

    def __init__(self, stream: TextIO, clock: Clock, total: int) -> None:
        self._stream = stream
        self._clock = clock
        self._total = total
        self._moving = stream.isatty()
        self._every = 0.2 if self._moving else 10.0
        self._began = clock.monotonic()
        self._next = self._began + self._every
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

    def _show(self) -> None:
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        done = self._before + self._at - self._span.start
        elapsed = now - self._began
        share = min(100.0, 100 * done / max(1, self._total))
        text = f"replay: partition={self._span.partition} offset={self._at} done={share:.1f}%"
        if done:
            text += f" eta={_span(max(0, self._total - done) * elapsed / done)}"
        self._write(text)

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._stream.write(f"replay: {text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Takes the moving line away."""
        if self._moving:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}" if self._moving else f"{text}\n")
        self._stream.flush()


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
