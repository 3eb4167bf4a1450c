"""Where a segment ends: a function of its records alone, however they are batched and however often one starts anew."""

from bucket.manifest import EndedBy


class Cutter:
    """Cuts one segment. Offer each record in log order: first `ends_before`, then, where it belongs, `take`.

    The segment that begins at offset A ends, whichever comes first,
      mark   before the first record whose append time is >= mark(A): the end of the `interval` slot, aligned to the
             epoch, that holds the append time of the first record at or after A
      gap    before the first record whose offset is not the next: what lies between was lost before it was read, and
             the next segment's manifest says so
      bytes  after the record with which the bytes of keys and values reach `max_bytes`
      idle   where the log ends, once no later record can lie before the mark: `idle_after`
    """

    def __init__(self, interval: int, max_bytes: int) -> None:
        self._interval = interval
        self._max_bytes = max_bytes
        self._bytes = 0
        self._next_offset: int | None = None
        self._mark: int | None = None

    @property
    def mark(self) -> int | None:
        """In append time, ms; None before the first record."""
        return self._mark

    def ends_before(self, offset: int, append_time: int) -> EndedBy | None:
        """Why the record belongs to the next segment, or None where it belongs to this one. The first always does."""
        if self._mark is None:
            return None
        if append_time >= self._mark:
            return "mark"
        return None if offset == self._next_offset else "gap"

    def take(self, offset: int, append_time: int, size: int) -> EndedBy | None:
        """Counts a record that belongs; says why the segment ends behind it, or None where it goes on."""
        if self._mark is None:
            self._mark = append_time - append_time % self._interval + self._interval
        self._next_offset = offset + 1
        self._bytes += size
        return "bytes" if self._bytes >= self._max_bytes else None

    def idle_after(self, now: int, grace: int) -> bool:
        """Whether a segment that has reached the log's end ends there.

        `now` must have been read before the log's end was: then every record before the mark was seen, as long as the
        clocks of broker and consumer differ by less than `grace`.
        """
        return self._mark is not None and now > self._mark + grace
