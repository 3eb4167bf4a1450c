"""A log in memory that fails when told to, and whose time goes as it is told."""

from asyncio import Event
from collections import Counter
from collections.abc import Sequence

from broker.log import Appended, NewRecord


class FakeLog:
    """A LogWriter; `records` is what it made durable."""

    def __init__(self, partitions: int = 4) -> None:
        self.log_id = "fake"
        self.partitions = partitions
        self.problem = ""
        self.records: list[NewRecord] = []
        self.append_time = 0
        self.ends: Counter[int] = Counter()
        """The next offset, by partition."""
        self.error: Exception | None = None
        self.gate: Event | None = None
        """Where set, appends wait for it."""
        self.reached = Event()
        """Set once an append waits there."""

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if self.gate is not None:
            self.reached.set()
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.records += records
        return [self._append(record.partition) for record in records]

    def _append(self, partition: int) -> Appended:
        self.ends[partition] += 1
        return Appended(self.ends[partition] - 1, self.append_time)

    def backlog_bytes(self) -> int:
        return 0

    async def close(self) -> None:
        pass
