from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import Buffer

from tsdb.chunk import Labels
from tsdb.matcher import Matcher

class Exemplar(NamedTuple):
    labels: Labels
    """As they were sent: mostly trace_id and span_id. In the order they came; nothing is sorted or left out."""
    value: float
    timestamp: int
    """Milliseconds."""

class SeriesExemplars(NamedTuple):
    labels: Labels
    exemplars: list[Exemplar]
    """Ascending by timestamp, none twice."""

class Exemplars:
    """The newest exemplars of one tenant, in a bounded piece of memory: the oldest make room for the newest.

    Any thread may call anything: every method holds the GIL for as long as it looks at the memory.
    """

    def __init__(self, capacity: int) -> None:
        """Raises ValueError below 4 KiB; memory is taken as exemplars come."""
    def take(self, record: Buffer) -> None:
        """Keeps the exemplars of a record that a head has taken. One that repeats its series' last is kept once."""
    def select(self, matchers: Sequence[Matcher], mint: int, maxt: int) -> list[SeriesExemplars]:
        """Of series that pass every matcher, with mint <= timestamp <= maxt, ascending by labels."""
    @property
    def memory_bytes(self) -> int: ...
    @property
    def kept(self) -> int:
        """How many there are."""
    @property
    def evicted(self) -> int:
        """How many made room for newer ones, ever."""
    @property
    def unfit(self) -> int:
        """How many could not be read, or were larger than a quarter of the capacity, ever."""
