"""How far a trial of limits is: one line that moves on a terminal, one now and then elsewhere."""

from typing import TextIO

from forebay.clock import Clock


class LimitsMeter:
    """Counts in offsets, or in seconds."""

    def __init__(self, stream: TextIO, clock: Clock, total: int) -> None:
        self._stream = stream
        self._clock = clock
        self._total = total
        self._moving = stream.isatty()
        self._every = 0.2 if self._moving else 10.0
        self._began = clock.monotonic()
        self._next = self._began + self._every
        self._done = 0

    def advance(self, count: int) -> None:
        """So many more are done. Cheap."""
        self._done += count
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        text = f"limits test: done={min(100.0, 100 * self._done / max(1, self._total)):.1f}%"
        if self._done:
            left = max(0, self._total - self._done) * (now - self._began) / self._done
            text += f" eta={round(left)}s"
        self._stream.write(f"\r\x1b[K{text}" if self._moving else f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Takes the moving line away."""
        if self._moving:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
