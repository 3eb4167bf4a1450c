"""Records that were fetched and not yet handed out, by partition, so that no partition waits behind another one's."""

from collections import deque
from collections.abc import Sequence

from broker.log import Record


class _Line:
    """One partition's records, in order and without a hole but those that were accepted."""

    __slots__ = ("next_offset", "position", "records", "suspect")

    def __init__(self, offset: int) -> None:
        self.records = deque[Record]()
        self.position = offset
        """Of the next record to hand out."""
        self.next_offset = offset
        """Of the next record to come."""
        self.suspect = -1
        """The offset behind a hole that was seen once."""


class Ahead:
    """The assigned partitions, and what is ready of each. `position` may be called from any thread."""

    def __init__(self, max_bytes: int) -> None:
        """Has room until `max_bytes` of values are held."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lines: dict[int, _Line] = {}
        self._turn = 0

    def __contains__(self, partition: int) -> bool:
        return partition in self._lines

    @property
    def partitions(self) -> Sequence[int]:
        return sorted(self._lines)

    @property
    def has_room(self) -> bool:
        return self._bytes < self._max_bytes

    @property
    def holds_records(self) -> bool:
        return any(line.records for line in self._lines.values())

    def position(self, partition: int) -> int:
        return self._lines[partition].position

    def next_offset(self, partition: int) -> int:
        return self._lines[partition].next_offset

    def restart(self, partition: int, offset: int) -> None:
        """Forgets what is held of it, and goes on from `offset`."""
        self.drop(partition)
        self._lines[partition] = _Line(offset)

    def drop(self, partition: int) -> None:
        """Not assigned any more."""
        line = self._lines.pop(partition, None)
        if line is not None:
            self._bytes -= sum(len(record.value) for record in line.records)

    def empty(self, partition: int) -> bool:
        """Forgets what is held of it without moving its position; whether there was any."""
        line = self._lines[partition]
        if not line.records:
            return False
        self.restart(partition, line.position)
        return True

    def add(self, record: Record) -> bool:
        """False where it is not the next one. Of a partition that is not assigned: ignored."""
        line = self._lines.get(record.partition)
        if line is None:
            return True
        if record.offset != line.next_offset:
            return False
        line.records.append(record)
        line.next_offset += 1
        self._bytes += len(record.value)
        return True

    def suspect(self, record: Record) -> None:
        """There seems to be a hole before this record, which is not taken."""
        self._lines[record.partition].suspect = record.offset

    def is_suspect(self, record: Record) -> bool:
        """Whether the same hole was seen before."""
        return self._lines[record.partition].suspect == record.offset

    def accept(self, record: Record) -> None:
        """There is a hole before this record."""
        self._lines[record.partition].next_offset = record.offset
        self.add(record)

    def take(self, max_bytes: int) -> list[Record]:
        """A fair share from each partition that has something, beginning with another one every time."""
        ready = [partition for partition in self.partitions if self._lines[partition].records]
        if not ready:
            return []
        self._turn += 1
        first = self._turn % len(ready)
        taken: list[Record] = []
        room = max_bytes
        for served, partition in enumerate(ready[first:] + ready[:first]):
            share = room // (len(ready) - served)
            line = self._lines[partition]
            while line.records:
                size = len(line.records[0].value)
                # At least one record of all, however large it is; of any other partition only what fits.
                if taken and size > share:
                    break
                record = line.records.popleft()
                taken.append(record)
                line.position = record.offset + 1
                share -= size
                room -= size
                self._bytes -= size
            if room <= 0:
                break
        return taken
