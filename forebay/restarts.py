"""How soon a process that crashed is started again, and when that has no sense any more."""

from forebay.errors import Fatal

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 10.0
_GOOD_SECONDS = 60.0
"""A process that ran for so long is well: what ends it then is another matter."""
_IN_A_ROW = 6


class CrashLoop(Fatal):
    """A process ends again and again soon after its start."""


class Restarts:
    """Of the process in one slot."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._crashes = 0

    def crashed(self, ran_seconds: float) -> float:
        """Seconds to wait before the next start. Raises CrashLoop."""
        self._crashes = 1 if ran_seconds >= _GOOD_SECONDS else self._crashes + 1
        if self._crashes >= _IN_A_ROW:
            raise CrashLoop(
                f"process ends again and again: process={self._number} times={self._crashes}",
                hint="the lines of this process say why; with --web.processes=1 there are none but those",
            )
        return min(_LONGEST_SECONDS, _FIRST_SECONDS * (1 << self._crashes - 1))
