from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from typing_extensions import Buffer

from tsdb.block_writer import BlockStats
from tsdb.chunk import SeriesChunks
from tsdb.matcher import Matcher

HOLDS_EXEMPLARS: int
HOLDS_METADATA: int

class Counts(NamedTuple):
    """Samples of one head so far: appended = stored + duplicate + deduplicated + sum(rejected.values()), once sealed.

    Until `finish`, samples that came out of order count as stored; finishing moves those that turn out to be repeats.
    """

    records: int
    appended: int
    stored: int
    duplicate: int
    rejected: dict[str, int]
    exemplars: int
    metadata: int
    deduplicated: int = 0
    """Of records that were left out."""

class Bounds(NamedTuple):
    """Judged against a record's append time, in ms; a little wider than the gateway's own."""

    max_age: int
    max_future: int
    max_windows: int
    """How many windows one tenant may open in one segment."""

class Head:
    """The open segment of one (partition, tenant): every sample of its records, in chunks by series and window.

    Appends, snapshots and seals may come from different threads; each takes the head's own lock. Kernels run without
    the GIL. What comes out is a function of the records alone: not of threads, hash seeds or clocks.
    """

    def __init__(self, *, seed: int, window_ms: int, bounds: Bounds) -> None: ...
    def append(self, value: Buffer, append_time: int) -> int:
        """Takes one record whole, or not at all.

        Returns what it holds that a head only counts: HOLDS_EXEMPLARS, HOLDS_METADATA, both or neither.

        Raises:
            InvalidData: not a WriteRequest with canonical labels; the head is as it was.
            MemoryError: the head is as it was.
        """
    def leave_out(self, value: Buffer) -> None:
        """Counts a record and all its samples, as `deduplicated`, and stores nothing of it.

        Raises as `append`; labels are not looked at.
        """
    def finish(self) -> Counts:
        """Sorts in what came out of order, decides duplicates; no append may follow. May be called twice."""
    @property
    def counts(self) -> Counts: ...
    @property
    def memory_bytes(self) -> int:
        """Bytes held, all arenas and tables included; O(1)."""
    @property
    def series(self) -> int: ...
    def windows(self) -> list[int]:
        """Starts (ms) of the windows that hold samples, ascending."""
    def write_block(self, window: int, directory: Path) -> BlockStats:
        """Writes one window's `index` and `chunks/`; after `finish`. Windows may be written at the same time."""
    def select(self, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterable[SeriesChunks]:
        """As `query.heads.Heads.select`, of this head; before and after `finish`. A copy: appends may go on."""
