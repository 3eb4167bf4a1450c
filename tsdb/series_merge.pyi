from collections.abc import Sequence
from typing import NamedTuple

from tsdb.block_writer import BlockWriter
from tsdb.merge_source import MergeSource
from tsdb.symbol_reader import SymbolReader

class SeriesCounts(NamedTuple):
    """Samples of all sources: read = written + duplicate + conflicting + deleted."""

    read: int
    written: int
    duplicate: int
    conflicting: int
    deleted: int

def merge_series(sources: Sequence[MergeSource], symbols: Sequence[SymbolReader], writer: BlockWriter) -> SeriesCounts:
    """Writes the union of the sources' symbols, then every series once, with the chunks of all that have it.

    Chunks that overlap no other are copied byte for byte. The GIL is released but where chunks overlap or samples are
    deleted. Raises CorruptBlock, CorruptChunk.
    """
