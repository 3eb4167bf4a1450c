"""How far back the labels of a segment may lie: docs/decisions/0021-labels-once.md, the consumer's rule."""

from array import array
from bisect import bisect_left


class Lookback:
    """L of one partition's segments: the first offset that was appended at append_time(A) - `distance` or later.

    Offer it every record in log order: `saw`. Append times may go back, so what decides are the records at which they
    rose above all before; only these are kept, 16 bytes for each.
    """

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self.known_from = 0
        """Every record from here on was seen."""
        self._unseen_before: int | None = None
        """Records before `known_from` were all appended earlier than this; None where that is not known."""
        self._offsets = array("q")
        self._times = array("q")

    def restart(self, offset: int, unseen_before: int | None) -> None:
        """What comes next is the record at `offset`; nothing before it was seen. `unseen_before` is as above."""
        self.known_from = offset
        self._unseen_before = unseen_before
        self._offsets = array("q")
        self._times = array("q")

    def saw(self, offset: int, append_time: int) -> None:
        if not self._times or append_time > self._times[-1]:
            self._offsets.append(offset)
            self._times.append(append_time)

    def start(self, offset: int, append_time: int) -> int | None:
        """L of a segment that begins with this record; None where a record that was not seen could be it."""
        wanted = append_time - self.distance
        if self._unseen_before is None or wanted < self._unseen_before:
            return None
        at = bisect_left(self._times, wanted)
        return self._offsets[at] if at < len(self._offsets) else offset

    def told(self, offset: int, wanted: int) -> bool:
        """The log says that `offset` is the first that was appended at `wanted` or later.

        False where records from there on are not known, and must be read: it begins anew there.
        """
        if offset < self.known_from:
            self.restart(offset, wanted)
            return False
        self._trim(wanted)
        self.known_from = offset
        self._unseen_before = wanted
        return True

    def trim(self, append_time: int) -> int:
        """Forgets what only segments that begin before `append_time` would ask for; returns the new `known_from`."""
        newest = self._trim(append_time - self.distance)
        if newest is not None and self._offsets:
            self.known_from = self._offsets[0]
            if self._unseen_before is not None:
                self._unseen_before = max(self._unseen_before, newest + 1)
        return self.known_from

    def _trim(self, wanted: int) -> int | None:
        """The greatest time that was forgotten."""
        at = bisect_left(self._times, wanted)
        newest = self._times[at - 1] if at else None
        del self._offsets[:at], self._times[:at]
        return newest
