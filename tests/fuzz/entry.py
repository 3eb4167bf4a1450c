"""What the driver calls, and with what."""

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

Target = Callable[[memoryview], object]
"""Returns; any error is a finding, apart from those that the target expects itself."""


class Entry(NamedTuple):
    target: Target
    corpus: Sequence[bytes]


def exactly(data: bytes) -> memoryview:
    """`data` in a heap block of exactly its size: a slice of an array has no room to grow."""
    return memoryview(array("B", data)[:])
