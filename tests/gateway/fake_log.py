"""A log in memory that fails when told to."""

from asyncio import Event
from collections.abc import Sequence

from broker.log import NewRecord


class FakeLog:
    """A LogWriter; `records` is what it made durable."""

    def __init__(self, partitions: int = 4) -> None:
        self.log_id = "fake"
        self.partitions = partitions
        self.problem = ""
        self.records: list[NewRecord] = []
        self.error: Exception | None = None
        self.gate: Event | None = None
        """Where set, appends wait for it."""
        self.reached = Event()
        """Set once an append waits there."""

    async def append(self, records: Sequence[NewRecord]) -> None:
        if self.gate is not None:
            self.reached.set()
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.records += records

    def backlog_bytes(self) -> int:
        return 0

    async def close(self) -> None:
        pass
