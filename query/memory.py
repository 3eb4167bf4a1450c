"""What all queries at work may hold together, in bytes."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from forebay.errors import InvalidData, Retryable
from tsdb.chunk import Chunk, Labels

_SERIES = 500
_LABEL = 130
_CHUNK = 200
"""Bytes of Python's own objects, measured, beside what they hold."""


class QueryTooLarge(InvalidData):
    """One query needs more than all of them may hold."""


class QueryMemory:
    """The bound; thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._lock = threading.Lock()

    def open(self) -> "Holding":
        return Holding(self)

    def change(self, by: int, own: int) -> None:
        """Takes or gives back; `own` is what the asking query would hold. Raises QueryTooLarge, Retryable."""
        with self._lock:
            if by > 0 and own > self.limit:
                raise QueryTooLarge(
                    f"query needs too much memory: limit={self.limit}",
                    hint="ask for fewer series or a shorter time, or raise query.memory",
                )
            if by > 0 and self.held + by > self.limit:
                raise Retryable(f"queries at work hold all memory they may: limit={self.limit}", hint="ask again")
            self.held += by


class Holding:
    """What one query holds; given back when the context ends."""

    def __init__(self, memory: QueryMemory) -> None:
        self._memory = memory
        self._held = 0

    def take(self, size: int) -> None:
        """Raises QueryTooLarge where this query alone is beyond the bound, Retryable where all together are."""
        self._memory.change(size, self._held + size)
        self._held += size

    def take_series(self, labels: Labels, chunks: Sequence[Chunk]) -> None:
        """As `take`, for one series of one source."""
        text = sum(len(name) + len(value) for name, value in labels)
        data = sum(len(chunk.data) for chunk in chunks)
        self.take(_SERIES + _LABEL * len(labels) + text + _CHUNK * len(chunks) + data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._memory.change(-self._held, 0)
        self._held = 0
