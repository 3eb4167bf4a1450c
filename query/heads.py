"""What the read side asks of heads, whoever holds them; consumers fit this protocol without knowing of it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from tsdb.chunk import SeriesChunks
from tsdb.matcher import Matcher


class Heads(Protocol):
    def select(self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterable[SeriesChunks]:
        """Series of all open and sealing segments that pass every matcher and have samples in [mint, maxt].

        Chunks overlapping the range are given whole. Labels are the series' own. In any order; one series may come more
        than once. A sample stays here until its block can be found in the bucket.
        """
        ...


class NoHeads:
    """A process that reads the bucket alone."""

    def select(self, _tenant: str, _matchers: Sequence[Matcher], _mint: int, _maxt: int) -> Iterable[SeriesChunks]:
        return ()
