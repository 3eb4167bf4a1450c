from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tsdb.chunk import Chunk, Labels

class BlockStats(NamedTuple):
    """What a written block holds; `min_time` and `max_time` are inclusive sample times in ms."""

    series: int
    chunks: int
    samples: int
    float_samples: int
    histogram_samples: int
    min_time: int
    max_time: int
    series_max_size: int
    """Bytes of the longest series entry in the index, length and CRC included."""
    chunk_max_size: int
    """Bytes of the longest chunk record, length, encoding byte and CRC included."""
    segment_files: tuple[str, ...]

class BlockWriter:
    """Writes `index` and `chunks/` of one block into `directory`, which must be new or empty.

    From Python: `add_symbols` once, then `add` for each series in ascending label order, then `finish`. Kernels use the
    C methods of the .pxd, without the GIL: `set_symbols` (sorted by bytes, unique), `add_series` with symbol ordinals.
    Raises OSError as it is (full disk), ValueError where order or a limit of the format is broken. After an error the
    writer is of no use. One thread at a time.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = 512 << 20) -> None: ...
    def add_symbols(self, symbols: Sequence[bytes]) -> None: ...
    def add(self, labels: Labels, chunks: Sequence[Chunk]) -> None: ...
    def finish(self) -> BlockStats:
        """Writes postings, tables and TOC; files and their directories are fsynced when it returns.

        Raises ValueError where there was no series: a block is never empty.
        """
    def abort(self) -> None:
        """Closes files; may be called at any time, twice too. Files are left to the caller."""
