"""How far a command is and when it will be done: one line that moves on a terminal, one now and then elsewhere."""

from typing import TextIO

from forebay.clock import Clock


class Meter:
    """`work` is what each line begins with. Counts in whatever `total` is in."""

    def __init__(self, stream: TextIO, clock: Clock, work: str, total: int) -> None:
        self._stream = stream
        self._clock = clock
        self._work = work
        self._total = total
        self._moving = stream.isatty()
        self._every = 0.2 if self._moving else 10.0
        self._began = clock.monotonic()
        self._next = self._began + self._every
        self._done = 0

    def advance(self, count: int) -> None:
        """So many more are done. Cheap."""
        self.show(self._done + count)

    def show(self, done: int, where: str = "") -> None:
        """So many are done, of all. Cheap."""
        self._done = done
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        text = f"{self._work}: {where}done={min(100.0, 100 * done / max(1, self._total)):.1f}%"
        if done:
            text += f" eta={_span(max(0, self._total - done) * (now - self._began) / done)}"
        self._stream.write(f"\r\x1b[K{text}" if self._moving else f"{text}\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._stream.write(f"{self._work}: {text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Takes the moving line away."""
        if self._moving:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
