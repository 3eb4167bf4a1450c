"""Looks at the running whole twice a second: log, consumers, senders."""

import contextlib
import http.client
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from tests.elastic.cluster import Cluster
from tests.elastic.senders import Sender

PERIOD = 0.5


@dataclass
class Row:
    """One look; times are seconds since the epoch."""

    at: float
    ends: list[int] = field(default_factory=list)
    """By partition, one behind the newest record."""
    positions: dict[int, int] = field(default_factory=dict)
    """Of partitions that somebody reads now: the next record to take."""
    cpu: dict[str, float] = field(default_factory=dict)
    """By consumer, seconds since its start."""
    memory: dict[str, int] = field(default_factory=dict)
    """By consumer, resident bytes."""
    acknowledged: int = 0
    failures: int = 0


class Sampler(threading.Thread):
    """Until `halt`; what does not answer is left out of a row."""

    def __init__(self, cluster: Cluster, senders: Sequence[Sender]) -> None:
        super().__init__(daemon=True, name="sampler")
        self.rows: list[Row] = []
        self._cluster = cluster
        self._senders = senders
        self._halt = threading.Event()

    def halt(self) -> None:
        self._halt.set()
        self.join(30)

    def run(self) -> None:
        due = time.monotonic()
        while not self._halt.wait(max(0.0, due - time.monotonic())):
            due = max(due + PERIOD, time.monotonic())
            self.rows.append(self._look())

    def _look(self) -> Row:
        row = Row(time.time())
        row.acknowledged = sum(sender.acknowledged for sender in self._senders)
        row.failures = sum(len(sender.failures) for sender in self._senders)
        for member in list(self._cluster.consumers):
            with contextlib.suppress(psutil.Error, AssertionError):
                process = psutil.Process(member.pid)
                times = process.cpu_times()
                row.cpu[member.name] = times.user + times.system
                row.memory[member.name] = process.memory_info().rss
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                for partition in member.status()["partitions"]:
                    number = partition["partition"]
                    row.ends += [0] * (number + 1 - len(row.ends))
                    row.ends[number] = max(row.ends[number], partition["end_offset"])
                    if "position" in partition:
                        row.positions[number] = partition["position"]
        return row


@dataclass(frozen=True)
class Lag:
    """How far reading is behind, at one look."""

    at: float
    records: int
    """Over all partitions."""
    seconds: float
    """Of the partition that is furthest behind: the age of its oldest record that is not taken."""
    stayed_seconds: float
    """The same over partitions that are in the hands of whoever had them at the last change."""


def lags(rows: Sequence[Row], moved: Sequence[tuple[float, set[int]]]) -> list[Lag]:
    """By row. `moved`: from each time on, the partitions that changed hands with the change of that time.

    A partition that nobody reads is as far as it was when it was last read. When a record was appended is known to
    within one look.
    """
    found: list[Lag] = []
    positions: dict[int, int] = {}
    history: dict[int, list[tuple[int, float]]] = {}
    times = [at for at, _ in moved]
    for row in rows:
        positions |= row.positions
        for partition, end in enumerate(row.ends):
            ends = history.setdefault(partition, [])
            if not ends or end > ends[-1][0]:
                ends.append((end, row.at))
        change = bisect_right(times, row.at) - 1
        gone = moved[change][1] if change >= 0 else set()
        ages = {partition: _age(history[partition], positions.get(partition, 0), row.at) for partition in history}
        found.append(
            Lag(
                row.at,
                sum(max(0, ends[-1][0] - positions.get(partition, 0)) for partition, ends in history.items()),
                max(ages.values(), default=0.0),
                max((age for partition, age in ages.items() if partition not in gone), default=0.0),
            )
        )
    return found


def _age(ends: Sequence[tuple[int, float]], position: int, now: float) -> float:
    """Since the record at `position` was seen in the log; 0 where it is not there yet."""
    if not ends or position >= ends[-1][0]:
        return 0.0
    return now - ends[bisect_right(ends, (position, float("inf")))][1]
