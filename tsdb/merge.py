"""Several blocks into one: every series once, every sample once."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tsdb.block_files import BlockFiles
from tsdb.block_reader import read_tombstones
from tsdb.block_writer import BlockStats, BlockWriter
from tsdb.index_reader import IndexReader
from tsdb.merge_source import MergeSource
from tsdb.series_merge import SeriesCounts, merge_series

_SERIES_GUESS = 4096


class MergeStats(NamedTuple):
    """What came out, and what became of the sources' samples."""

    block: BlockStats | None
    """None where every sample of every source is deleted; then `directory` holds no block and is of no use."""
    counts: SeriesCounts


def merge_blocks(sources: Sequence[BlockFiles], directory: Path, *, segment_bytes: int = 512 << 20) -> MergeStats:
    """Writes `index` and `chunks/` of the merged block into `directory`, new or empty.

    Of samples with one series and time the first source's is kept. Chunks that overlap no other are copied byte for
    byte, tombstones are applied. The output's bytes are a function of the ordered sources alone. Whole index and
    segment files are asked of the sources as one piece each: they should be local. Blocks for as long as the work
    takes, without the GIL for most of it.

    Raises:
        CorruptBlock, CorruptChunk: a source is damaged.
        OSError: as the writer has it; `directory` is then of no use.
    """
    readers = [IndexReader(files, series_guess=_SERIES_GUESS) for files in sources]
    walks = [_walk(files, reader) for files, reader in zip(sources, readers, strict=True)]
    writer = BlockWriter(directory, segment_bytes=segment_bytes)
    try:
        counts = merge_series(walks, [reader.symbols for reader in readers], writer)
        block = writer.finish() if counts.written else None
    finally:
        writer.abort()
    return MergeStats(block, counts)


def _walk(files: BlockFiles, reader: IndexReader) -> MergeSource:
    segments: list[bytes | memoryview] = []
    while (segment := _whole(files, f"chunks/{len(segments) + 1:06d}")) is not None:
        segments.append(segment)
    index = files.read("index", 0, files.size("index"))
    return MergeSource(index, segments, reader.all(), reader.symbols, read_tombstones(files))


def _whole(files: BlockFiles, path: str) -> bytes | memoryview | None:
    try:
        return files.read(path, 0, files.size(path))
    except FileNotFoundError:
        return None
