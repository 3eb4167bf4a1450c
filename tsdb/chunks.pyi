from array import array
from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import Buffer

from tsdb.chunk import Chunk
from tsdb.native_histogram import Histogram as Histogram

class MergeCounts(NamedTuple):
    """Samples left out because another of the same time was kept."""

    duplicate: int
    """Equal to the one kept."""
    conflicting: int
    """Of another value, or a float where a histogram was kept, or the reverse."""

class Samples(NamedTuple):
    """Ascending by time; a time is either among the floats or among the histograms."""

    timestamps: array[int]
    """array('q'), of the floats."""
    bits: array[int]
    """array('Q'), as long as `timestamps`."""
    histograms: list[Histogram]

def sample_count(data: Buffer) -> int:
    """What a chunk of encoding 1, 2 or 3 says it holds.

    Raises:
        CorruptChunk: it has no header.
    """

def encode_floats(timestamps: Buffer, bits: Buffer) -> list[Chunk]:
    """XOR chunks of 120 samples (the last may hold fewer) of int64 times, strictly ascending, and uint64 values.

    Raises:
        ValueError: the buffers are not as said.
    """

def decode_floats(data: Buffer) -> tuple[array[int], array[int]]:
    """Times, array('q'), and the bits of values, array('Q'). What stands behind the last sample is ignored.

    Raises:
        CorruptChunk: the chunk ends early, contradicts itself or goes back in time.
    """

def encode_histograms(samples: Sequence[Histogram]) -> list[Chunk]:
    """Chunks of encodings 2 and 3; times strictly ascending. Where chunks end is said in tsdb/histogram.pxd.

    What a chunk cannot say is lost: all of a stale marker but time, sum and kind; HINT_RESET and HINT_UNKNOWN read back
    as HINT_UNKNOWN at a chunk's start and HINT_NOT_RESET behind it (the chunk's header tells of resets).

    Raises:
        ValueError: times do not ascend, spans do not cover the buckets, the schema is unknown.
        OverflowError: a number does not fit its field.
    """

def decode_histograms(encoding: int, data: Buffer) -> list[Histogram]:
    """The samples of a chunk of encoding 2 or 3, each with the spans of the whole chunk; a stale marker has none.

    Raises:
        CorruptChunk: as `decode_floats`; another encoding; an unknown schema.
    """

def merge_chunks(chunks: Sequence[Chunk]) -> tuple[list[Chunk], MergeCounts]:
    """One series' chunks from several sources, put in one row: ascending by time, none overlapping another.

    Sources with priority come first in `chunks`: of samples with one time the first is kept. A chunk that overlaps no
    other, or only copies of itself, is passed on byte for byte, unread; runs of overlapping ones are decoded, merged
    and encoded anew, in chunks of at most 120 samples. A function of its argument alone.

    Raises:
        CorruptChunk: a chunk that had to be read is damaged, or holds samples outside of its mint and maxt.
    """

def decode_range(chunks: Sequence[Chunk], mint: int, maxt: int) -> Samples:
    """The samples of [mint, maxt] of one series, merged by the rule of `merge_chunks`.

    Raises:
        CorruptChunk: as `merge_chunks`; chunks outside of the range are not read.
    """
