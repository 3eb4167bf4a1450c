"""Reader of `index`, version 2. Source: docs/formats.md, "Index file"."""

import struct

from tsdb.block_files import BlockFiles
from tsdb.chunk import Labels
from tsdb.crc32c import crc32c
from tsdb.errors import CorruptBlock
from tsdb.postings import Postings, decode_postings
from tsdb.postings_table import PostingsTable
from tsdb.series_entry import SeriesEntry, entry_size
from tsdb.symbol_reader import SymbolReader

_PATH = "index"
_MAGIC = bytes.fromhex("baaad700")
_TOC = struct.Struct(">6QI")
_SERIES_ALIGNMENT = 16
_SECTION_OVERHEAD = 8  # length and CRC


class IndexReader:
    """Holds symbols and the postings table; lists and series are read as they are asked for.

    Raises CorruptBlock where the index is damaged; a version other than 2 is refused too.
    """

    def __init__(self, files: BlockFiles, *, series_guess: int) -> None:
        """`series_guess` is how many bytes to read for a series at first; larger entries cost a second read."""
        self._files = files
        self._series_guess = series_guess
        self._entry = SeriesEntry()
        size = files.size(_PATH)
        head = bytes(files.read(_PATH, 0, 5))
        if size < 5 + _TOC.size or head[:4] != _MAGIC:
            raise CorruptBlock(f"index has no header: bytes={size} head={head.hex()}")
        if head[4] != 2:
            raise CorruptBlock(f"index version is not supported: version={head[4]}")
        toc = bytes(files.read(_PATH, size - _TOC.size, _TOC.size))
        symbols, series, _, _, postings, table, crc = _TOC.unpack(toc)
        if crc32c(toc[:-4]) != crc:
            raise CorruptBlock("index table of contents fails its checksum")
        if not 5 <= symbols < series <= postings < table < size - _TOC.size:
            raise CorruptBlock(f"index sections are not in order: symbols={symbols} series={series} table={table}")
        self._series_begin, self._series_end = series, postings
        self.symbols = SymbolReader(self._section(symbols, series))
        self.table = PostingsTable(self._section(table, size - _TOC.size), lists=postings, end=table)

    def postings(self, span: tuple[int, int]) -> Postings:
        """One list, by its place as the table has it."""
        start, end = span
        ids = decode_postings(self._files.read(_PATH, start, end - start))
        if ids and not (
            self._series_begin <= ids[0] * _SERIES_ALIGNMENT and ids[-1] * _SERIES_ALIGNMENT < self._series_end
        ):
            raise CorruptBlock(f"postings list points outside the series: first={ids[0]} last={ids[-1]}")
        return ids

    def all(self) -> Postings:
        """Every series, ascending by label set."""
        return self.postings(self.table.all())

    def series(self, series: int) -> tuple[Labels, list[tuple[int, int, int]]]:
        """Labels, and (mint, maxt, reference) of each chunk, of one id out of a list."""
        start = series * _SERIES_ALIGNMENT
        room = self._series_end - start
        data = self._files.read(_PATH, start, min(self._series_guess, room))
        needed = entry_size(data)
        if len(data) < needed <= room:
            data = self._files.read(_PATH, start, needed)
        return self._entry.read(data, self.symbols)

    def _section(self, start: int, end: int) -> bytes | memoryview:
        length = int.from_bytes(self._files.read(_PATH, start, 4)) + _SECTION_OVERHEAD
        if length > end - start:
            raise CorruptBlock(f"index section passes the next one: start={start} bytes={length}")
        return self._files.read(_PATH, start, length)
