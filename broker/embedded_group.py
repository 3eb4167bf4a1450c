"""A consumer group on the embedded log: whoever holds the lock `groups/<group>/<partition>.lock` has the partition.

A lock dies with its process, so another member takes over within `_REBALANCE_SECONDS`, and nobody is ever told `lost`.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from broker import embedded_file
from broker.embedded_commits import Commits, check_group
from broker.embedded_reader import ChangeWatch, EmbeddedReader
from broker.flock import FileLock
from broker.log import Listener, LogUnavailable, Record
from forebay.clock import Clock

_REBALANCE_SECONDS = 0.5
_IDLE_SECONDS = 0.01
"""Between looks for new records: their wait, against some 10 us of CPU for each look."""


class EmbeddedSubscription:
    """A Subscription. Takes every partition that no other member has, up to `max_partitions`."""

    def __init__(
        self,
        directory: Path,
        group: str,
        listener: Listener,
        clock: Clock,
        *,
        max_partitions: int | None = None,
    ) -> None:
        """Raises LogUnavailable where no writer has made a log yet, Fatal, LogCorrupt."""
        self._group = check_group(group)
        self._locks_directory = directory / embedded_file.GROUPS / group
        self._listener = listener
        self._clock = clock
        self._max_partitions = max_partitions
        self._reader = EmbeddedReader(directory)
        self._watch = ChangeWatch(directory)
        self._commits = Commits(directory / embedded_file.COMMITS)
        self._locks: dict[int, FileLock] = {}
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._turn = 0
        self._next_rebalance = clock.monotonic()
        self._drained = False
        self._closed = False

    @property
    def log_id(self) -> str:
        return self._reader.log_id

    def poll(self, timeout: float, max_bytes: int) -> list[Record]:
        if self._closed:
            raise LogUnavailable("subscription is closed")
        deadline = self._clock.monotonic() + timeout
        while True:
            if self._clock.monotonic() >= self._next_rebalance:
                self._rebalance()
            # Asked before reading, so that what is committed meanwhile shows next time.
            if self._watch.changed():
                self._drained = False
            if not self._drained:
                records = self._read(max_bytes)
                self._drained = not records
                if records:
                    return records
            remaining = deadline - self._clock.monotonic()
            if remaining <= 0:
                return []
            time.sleep(min(_IDLE_SECONDS, remaining))

    def position(self, partition: int) -> int:
        return self._positions[partition]

    def start_offset(self, partition: int) -> int:
        return self._reader.start_offset(partition)

    def end_offset(self, partition: int) -> int:
        return self._reader.end_offset(partition)

    def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        return {partition: self.end_offset(partition) for partition in partitions}

    def offset_for_time(self, partition: int, time: int) -> int:
        return self._reader.offset_for_time(partition, time)

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._positions:
            raise LogUnavailable(f"partition is not assigned partition={partition} group={self._group}")
        self._positions[partition] = offset
        self._drained = False

    def pause(self, partition: int) -> None:
        self._paused.add(partition)

    def resume(self, partition: int) -> None:
        self._paused.discard(partition)
        self._drained = False

    def commit(self, partition: int, offset: int) -> None:
        try:
            self._commits.write(self._group, partition, offset)
        except OSError as error:
            raise LogUnavailable(f"offset cannot be committed partition={partition} error={error}") from error

    def committed(self, partition: int) -> int | None:
        try:
            return self._commits.read(self._group, partition)
        except OSError as error:
            raise LogUnavailable(f"committed offset cannot be read partition={partition} error={error}") from error

    def confirm(self) -> None:
        """Nothing takes the place of files that are open."""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._positions:
                self._listener.revoked(sorted(self._positions))
        finally:
            self._positions.clear()
            for lock in self._locks.values():
                lock.release()
            self._locks.clear()
            self._watch.close()
            self._reader.close()

    def _rebalance(self) -> None:
        """Takes what is free, and tells the listener."""
        self._next_rebalance = self._clock.monotonic() + _REBALANCE_SECONDS
        try:
            self._take_free_partitions()
        except OSError as error:
            raise LogUnavailable(f"partitions cannot be locked group={self._group} error={error}") from error
        # Not merely those just locked: where the listener raised last time, they are asked for again.
        gained = sorted(self._locks.keys() - self._positions.keys())
        if gained:
            self._positions.update(self._listener.assigned(gained))
            self._paused.difference_update(gained)
            self._drained = False

    def _take_free_partitions(self) -> None:
        self._locks_directory.mkdir(parents=True, exist_ok=True)
        for partition in range(self._reader.partitions):
            if self._max_partitions is not None and len(self._locks) >= self._max_partitions:
                return
            if partition not in self._locks:
                lock = FileLock.acquire(self._locks_directory / f"{partition}.lock")
                if lock is not None:
                    self._locks[partition] = lock

    def _read(self, max_bytes: int) -> list[Record]:
        """A fair share from each partition that has something, beginning with another one every time."""
        ready = [
            partition
            for partition in sorted(self._positions)
            if partition not in self._paused and self._positions[partition] < self._reader.end_offset(partition)
        ]
        if not ready:
            return []
        self._turn += 1
        first = self._turn % len(ready)
        records: list[Record] = []
        room = max_bytes
        for served, partition in enumerate(ready[first:] + ready[:first]):
            share = room // (len(ready) - served)
            for record in self._reader.read(partition, self._positions[partition], share):
                # A reader gives at least one record, however large; only the first of all may be.
                if records and len(record.value) > room:
                    break
                records.append(record)
                room -= len(record.value)
                self._positions[partition] = record.offset + 1
            if room <= 0:
                break
        return records
