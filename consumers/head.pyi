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

    def __init__(self, *, seed: int, window_ms: int, bounds: Bounds, label_window: int = ...) -> None:
        """`label_window`: how far back a version 2 record may rely on labels, ms; by default any distance."""
    def append(self, value: Buffer, append_time: int, version: int = 1, offset: int = 0) -> int:
        """Takes one record whole, or not at all.

        Returns what it holds that a head only counts: HOLDS_EXEMPLARS, HOLDS_METADATA, both or neither.

        One of version 2 teaches its labels first, as those of `offset`.

        Raises:
            InvalidData: not a record of that version with canonical labels; the head is as it was.
            LabelsUnknown: a hash in it resolves to nothing; only what it teaches is learned.
            UnsupportedRecord: it relies on labels from further back than `label_window`; the head is as it was.
            MemoryError: no sample of it was taken.
        """
    def leave_out(self, value: Buffer, version: int = 1, offset: int = 0) -> None:
        """Counts a record and all its samples, as `deduplicated`, and stores nothing of it.

        One of version 2 teaches its labels; others' are not looked at, and no hash is. Raises as `append`.
        """
    def teach(self, value: Buffer, offset: int) -> None:
        """Learns the labels of a version 2 record and nothing else; of two offsets the higher counts, in any order.

        Raises InvalidData and MemoryError as `append`.
        """
    def expand(self, value: Buffer, offset: int) -> bytes:
        """A version 2 record's value as version 1 has it, labels in every series; the record teaches as with `teach`.

        Raises as `append`, and takes no sample. Not after `finish`, where labels could be new.
        """
    def heir(self, since: int) -> Head:
        """An empty head of the same settings that knows what this one was taught at offset `since` or later.

        It holds copies: this one may go. May be called in any state of this one.
        """
    def forget(self, since: int) -> None:
        """What was taught at a lower offset resolves no more."""
    @property
    def known(self) -> int:
        """How many label sets it has been taught."""
    def finish(self) -> Counts:
        """Sorts in what came out of order, decides duplicates; no append may follow. May be called twice."""
    @property
    def counts(self) -> Counts: ...
    @property
    def memory_bytes(self) -> int:
        """Bytes held, all arenas and tables included; O(1)."""
    @property
    def series(self) -> int:
        """Those with samples."""
    def windows(self) -> list[int]:
        """Starts (ms) of the windows that hold samples, ascending."""
    def write_block(self, window: int, directory: Path) -> BlockStats:
        """Writes one window's `index` and `chunks/`; after `finish`. Windows may be written at the same time."""
    def select(self, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterable[SeriesChunks]:
        """As `query.heads.Heads.select`, of this head; before and after `finish`. A copy: appends may go on."""
