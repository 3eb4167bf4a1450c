"""A log in memory, and one member's subscription to it: what a consumer does is then a function of a test's steps."""

import time
from collections.abc import Callable, Sequence

from broker.log import Listener, Record
from broker.record import Replica, new_headers
from forebay.clock import ManualClock
from forebay.errors import Fatal


class MemoryLog:
    def __init__(self, log_id: str = "log", partitions: int = 1) -> None:
        self.log_id = log_id
        self.partitions: list[list[Record]] = [[] for _ in range(partitions)]
        self.committed: dict[int, int] = {}
        self.recreated = False

    def append(
        self,
        partition: int,
        value: bytes,
        append_time: int,
        *,
        tenant: bytes = b"tenant",
        replica: Replica | None = None,
        version: int = 1,
    ) -> Record:
        headers = new_headers(replica, version)
        return self.put(Record(partition, self.end(partition), append_time, tenant, value, headers))

    def put(self, record: Record) -> Record:
        self.partitions[record.partition].append(record)
        return record

    def start(self, partition: int) -> int:
        records = self.partitions[partition]
        return records[0].offset if records else 0

    def end(self, partition: int) -> int:
        records = self.partitions[partition]
        return records[-1].offset + 1 if records else 0

    def offset_for_time(self, partition: int, time: int) -> int:
        reached = (record.offset for record in self.partitions[partition] if record.append_time >= time)
        return next(reached, self.end(partition))

    def confirm(self) -> None:
        if self.recreated:
            raise Fatal("another log has its place")

    def lose_before(self, partition: int, offset: int) -> None:
        """As retention does."""
        self.partitions[partition] = [record for record in self.partitions[partition] if record.offset >= offset]


class MemorySubscription:
    """Implements Subscription for the only member, `batch` records a time; an empty poll lets the clock go on.

    `each_poll` is called first, every time: it may append, lose, rebalance or stop.
    """

    def __init__(
        self, log: MemoryLog, listener: Listener, clock: ManualClock, batch: int, each_poll: Callable[[], None]
    ) -> None:
        self.log = log
        self.listener = listener
        self.positions: dict[int, int] = {}
        self.paused: set[int] = set()
        self.joined = False
        self._clock = clock
        self._batch = batch
        self._each_poll = each_poll

    @property
    def log_id(self) -> str:
        return self.log.log_id

    def poll(self, timeout: float, max_bytes: int) -> list[Record]:
        if not self.joined:
            self.joined = True
            self.positions.update(self.listener.assigned(range(len(self.log.partitions))))
        self._each_poll()
        found: list[Record] = []
        for partition, position in self.positions.items():
            if partition not in self.paused:
                ahead = [record for record in self.log.partitions[partition] if record.offset >= position]
                found += ahead[: self._batch]
                if ahead:
                    self.positions[partition] = ahead[: self._batch][-1].offset + 1
        if not found:
            self._clock.advance(1)
            time.sleep(0.001)  # gives other threads the processor
        return found

    def position(self, partition: int) -> int:
        return self.positions[partition]

    def start_offset(self, partition: int) -> int:
        return self.log.start(partition)

    def end_offset(self, partition: int) -> int:
        return self.log.end(partition)

    def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        return {partition: self.log.end(partition) for partition in partitions}

    def offset_for_time(self, partition: int, time: int) -> int:
        return self.log.offset_for_time(partition, time)

    def seek(self, partition: int, offset: int) -> None:
        self.positions[partition] = offset

    def pause(self, partition: int) -> None:
        self.paused.add(partition)

    def resume(self, partition: int) -> None:
        self.paused.discard(partition)

    def commit(self, partition: int, offset: int) -> None:
        self.log.committed[partition] = offset

    def committed(self, partition: int) -> int | None:
        return self.log.committed.get(partition)

    def confirm(self) -> None:
        self.log.confirm()

    def close(self) -> None:
        if self.positions:
            self.listener.revoked(list(self.positions))
        self.positions = {}


class MemoryReader:
    """Implements LogReader."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.reads = 0

    @property
    def log_id(self) -> str:
        return self.log.log_id

    @property
    def partitions(self) -> int:
        return len(self.log.partitions)

    def start_offset(self, partition: int) -> int:
        return self.log.start(partition)

    def end_offset(self, partition: int) -> int:
        return self.log.end(partition)

    def offset_for_time(self, partition: int, time: int) -> int:
        return self.log.offset_for_time(partition, time)

    def read(self, partition: int, offset: int, max_bytes: int) -> list[Record]:
        self.reads += 1
        found: list[Record] = []
        for record in self.log.partitions[partition]:
            if record.offset >= offset:
                max_bytes -= len(record.value)
                if found and max_bytes < 0:
                    break
                found.append(record)
        return found

    def confirm(self) -> None:
        self.log.confirm()

    def close(self) -> None:
        pass
