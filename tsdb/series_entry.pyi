from typing_extensions import Buffer

from tsdb.chunk import Labels
from tsdb.symbol_reader import SymbolReader

def entry_size(data: Buffer) -> int:
    """Bytes of the entry that begins at `data`, by its length field; it may be more than there is."""

class SeriesEntry:
    def read(self, data: Buffer, symbols: SymbolReader) -> tuple[Labels, list[tuple[int, int, int]]]:
        """The entry at the start of `data`: labels, and (mint, maxt, reference) of each chunk.

        Raises CorruptBlock where it is cut short, fails its checksum, names no symbol, or is out of order.
        """
