from collections.abc import Mapping
from typing import Any

from typing_extensions import Buffer

from tsdb.postings import Postings
from tsdb.symbol_reader import SymbolReader

class MergeSource:
    """One block as a merge walks it; its files must stay as they are."""

    def __init__(
        self,
        index: Buffer,
        segments: list[Any],
        ids: Postings,
        symbols: SymbolReader,
        tombstones: Mapping[int, list[tuple[int, int]]],
    ) -> None:
        """Whole files as buffers; the ids of all series, ascending; the index's symbols."""
