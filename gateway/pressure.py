"""Whether a queue stands: a burst comes and goes, overload stays.

         never empty for burst_wait, and hardly shorter at its end than at its longest
    calm -----------------------------------------------------------------------------> pressed
     ^                                                                                     |
     '---- in a moment it was empty for as long as the work that was refused would take ---'

After CoDel's idea, it is told by the queue alone. One that is cut short while it is pressed has gaps, by chance or
since those who send stop for breath: they are a sign of calm only where there is room in them for what was refused.
"""

_SHRUNK = 0.75
"""Of its longest within the time: a queue that is down to that is on its way to nothing."""
_MOMENT_SECONDS = 1.0


class Pressure:
    """Of one queue, which tells when it becomes longer and shorter. Times are monotonic seconds."""

    def __init__(self, burst_wait: float) -> None:
        self.waiting = 0
        self.waiting_since = 0.0
        """When it was last empty; means nothing while it is."""
        self._burst_wait = burst_wait
        self._pressed = False
        self._began = 0.0
        """Of the stretch of time that is looked at."""
        self._longest = 0
        """Of it."""
        self._empty = 0.0
        """Seconds of it without anybody waiting, the present ones not counted."""
        self._empty_since = 0.0
        self._refused = 0.0
        """Seconds that the work on what was refused in it would have taken."""

    def joined(self, now: float) -> None:
        """One more waits."""
        if not self.waiting:
            self.waiting_since = now
            if self._pressed:
                self._empty += now - max(self._empty_since, self._began)
            else:
                self._look(now)
        self.waiting += 1
        self._longest = max(self._longest, self.waiting)

    def left(self, now: float) -> None:
        """One less does."""
        self.waiting -= 1
        if not self.waiting:
            self._empty_since = now

    def refused(self, seconds: float) -> None:
        """One was not let in, whose work would take so long."""
        self._refused += seconds

    def press(self, now: float) -> None:
        """Somebody has waited for `burst_wait`: it stands, if that was not known yet."""
        if not self._pressed:
            self._pressed = True
            self._look(now)

    def stands(self, now: float) -> bool:
        """Whether it is overload, and no burst."""
        if self._pressed:
            if now - self._began >= _MOMENT_SECONDS:
                empty = self._empty + (0.0 if self.waiting else now - max(self._empty_since, self._began))
                self._pressed = empty < self._refused
                self._look(now)
        elif self.waiting and now - self._began >= self._burst_wait:
            self._pressed = self.waiting > _SHRUNK * self._longest
            self._look(now)
        return self._pressed

    def _look(self, now: float) -> None:
        self._began, self._longest, self._empty, self._refused = now, self.waiting, 0.0, 0.0
