"""How far each partition is, for the page and for `forebay status`."""

from typing import NamedTuple

import msgspec


class HeldRejections(NamedTuple):
    """Samples of one tenant that were rejected for one reason, in a segment whose manifest is not known to stand."""

    partition: int
    start: int
    """First offset of the segment."""
    tenant: str
    reason: str
    samples: int
    first_time: int
    """Append times of the segment so far, ms."""
    last_time: int


class PartitionStatus(msgspec.Struct, frozen=True):
    """A glance at one assigned partition; counts are of the open and the sealing segment together."""

    partition: int
    position: int
    end_offset: int
    """As last observed, about once a second."""
    lag: int
    """Records not yet taken."""
    taken_time: int | None
    """Append time of the last record that was taken, here or into the newest manifest, ms; None where there is none."""
    open_start: int | None
    """First offset of the open segment; None where none is open."""
    oldest_append_time: int | None
    """Of the first record of these segments, ms; None where they hold none."""
    records: int
    samples: int
    series: int
    memory_bytes: int
    sealing: bool
    paused: bool
    failing: str
    """Why nothing is published or read at the moment; empty while all goes well."""
    last_end: int | None
    """End of the newest manifest; None where there is none."""
    last_append_time: int | None
    """Append time of its last record, ms."""
    last_blocks: int

    @property
    def unpublished(self) -> int:
        """Records of the log behind the newest manifest."""
        return max(0, self.end_offset - (self.last_end or 0))

    def lag_seconds(self, now_ms: int) -> float:
        """Age of the last record taken while there are newer ones: at most so long has the next one been waiting."""
        if not self.lag or self.taken_time is None:
            return 0.0
        return max(0, now_ms - self.taken_time) / 1000
