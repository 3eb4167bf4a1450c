from array import array
from collections.abc import Sequence
from typing import TypeAlias

from typing_extensions import Buffer

Postings: TypeAlias = array[int]
"""Series ids (index offset / 16) as unsigned 32-bit, ascending, unique."""

def decode_postings(section: Buffer) -> Postings:
    """A list as it is stored: length, count, ids, CRC. Raises CorruptBlock; bytes behind its end are passed over."""

def intersect(a: Postings, b: Postings) -> Postings: ...
def subtract(a: Postings, b: Postings) -> Postings:
    """What is in `a` and not in `b`."""

def union(lists: Sequence[Postings]) -> Postings: ...
