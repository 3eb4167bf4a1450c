"""Reading one block: its labels, and the chunks of the series that matchers ask for."""

from collections.abc import Iterable, Iterator, Sequence

from tsdb import meta, tombstones
from tsdb.block_files import BlockFiles
from tsdb.chunk import Chunk, SeriesChunks
from tsdb.chunk_record import read_record, record_size
from tsdb.deletion import covers, delete_samples
from tsdb.errors import CorruptBlock
from tsdb.index_reader import IndexReader
from tsdb.matcher import Matcher
from tsdb.series_matching import matching_series
from tsdb.tombstones import Intervals

_SERIES_GUESS = 4096
_CHUNK_GUESS = 2048
_META_LIMIT = 16 << 20  # far above any real one; a damaged block costs no more than this
_TIME_MIN = -(1 << 63)
_TIME_MAX = (1 << 63) - 1


class BlockReader:
    """One block, read through `BlockFiles`; opening reads meta.json, the table parts of the index, and tombstones.

    Every method may block and raises CorruptBlock where what it reads is damaged. Checksums are verified on all of it.
    """

    def __init__(self, files: BlockFiles) -> None:
        self._files = files
        self.meta = meta.decode(bytes(files.read("meta.json", 0, _META_LIMIT)))
        stats = self.meta.thanos.index_stats if self.meta.thanos else meta.IndexStats()
        self.index = IndexReader(files, series_guess=_bounded(stats.series_max_size, _SERIES_GUESS))
        self.tombstones = read_tombstones(files)
        self._chunk_guess = _bounded(stats.chunk_max_size, _CHUNK_GUESS)

    def label_names(self) -> list[bytes]:
        """Ascending."""
        return self.index.table.names()

    def label_values(self, name: bytes) -> list[bytes]:
        """Ascending; empty where no series has the label."""
        return self.index.table.values(name)

    def series(self) -> Iterator[SeriesChunks]:
        """All series, ascending by label set."""
        return self._read_series(self.index.all(), _TIME_MIN, _TIME_MAX)

    def select(self, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterator[SeriesChunks]:
        """Series that pass all matchers and have chunks in [mint, maxt], ascending by label set.

        Chunks come whole: their samples may lie outside the range. Without matchers all series pass.
        """
        return self._read_series(matching_series(self.index, matchers), mint, maxt)

    def _read_series(self, ids: Iterable[int], mint: int, maxt: int) -> Iterator[SeriesChunks]:
        for series in ids:
            labels, places = self.index.series(series)
            deleted = self.tombstones.get(series)
            chunks: list[Chunk] = []
            for start, end, ref in places:
                if start > maxt or end < mint:
                    continue
                if deleted is None:
                    chunks.append(self._read_chunk(start, end, ref))
                elif not covers(deleted, start, end):
                    chunks.extend(delete_samples(self._read_chunk(start, end, ref), deleted))
            if chunks:
                yield SeriesChunks(labels, chunks)

    def _read_chunk(self, mint: int, maxt: int, ref: int) -> Chunk:
        path = f"chunks/{(ref >> 32) + 1:06d}"
        start = ref & 0xFFFFFFFF
        try:
            data = self._files.read(path, start, self._chunk_guess)
            needed = record_size(data)
            if len(data) < needed <= self._files.size(path) - start:
                data = self._files.read(path, start, needed)
        except FileNotFoundError as error:
            raise CorruptBlock(f"chunk lies in a segment file that is missing: path={path} ref={ref:#x}") from error
        encoding, payload = read_record(data)
        return Chunk(encoding, mint, maxt, payload)


def _bounded(said: int, guess: int) -> int:
    """What meta.json says of the longest entry, where it is believable and shorter than what is read otherwise."""
    return said if 0 < said < guess else guess


def read_tombstones(files: BlockFiles) -> dict[int, Intervals]:
    """What is deleted of which series, by id; nothing where the block has no such file."""
    try:
        size = files.size("tombstones")
    except FileNotFoundError:
        return {}
    return tombstones.decode(bytes(files.read("tombstones", 0, size)))
