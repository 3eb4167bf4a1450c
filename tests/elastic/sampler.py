"""Looks at the running whole twice a second: log, consumers, senders."""

import contextlib
import http.client
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import psutil

from tests.elastic.cluster import Cluster, Member
from tests.elastic.senders import Sender

PERIOD = 0.5
_METRIC = re.compile(
    r'^forebay_consumer_(lag_records|lag_seconds|records_total)(?:\{partition="(\d+)"\})? ([0-9.e+]+)$', re.MULTILINE
)


class Behind(NamedTuple):
    """How far one partition's reader is behind, as it says itself."""

    records: int
    seconds: float


@dataclass
class Row:
    """One look; times are seconds since the epoch."""

    at: float
    ends: Sequence[int] = ()
    """By partition, one behind the newest record."""
    behind: dict[int, Behind] = field(default_factory=dict)
    """By partition, where somebody reads it."""
    taken: dict[str, float] = field(default_factory=dict)
    """By consumer, the records that it took since its start."""
    cpu: dict[str, float] = field(default_factory=dict)
    """By consumer, seconds since its start."""
    memory: dict[str, int] = field(default_factory=dict)
    """By consumer, resident bytes."""
    acknowledged: int = 0
    failures: int = 0
    load: float = 0.0
    """Of the machine: processes that run or wait to, the mean of a minute."""


class Sampler(threading.Thread):
    """Until `halt`; what does not answer is left out of a row."""

    def __init__(self, cluster: Cluster, senders: Sequence[Sender], ends: Callable[[], Sequence[int]]) -> None:
        """`ends` asks the log."""
        super().__init__(daemon=True, name="sampler")
        self.rows: list[Row] = []
        self._cluster = cluster
        self._senders = senders
        self._ends = ends
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
        row = Row(time.time(), load=os.getloadavg()[0])
        row.acknowledged = sum(sender.acknowledged for sender in self._senders)
        row.failures = sum(len(sender.failures) for sender in self._senders)
        for member in list(self._cluster.consumers):
            with contextlib.suppress(psutil.Error, AssertionError):
                process = psutil.Process(member.pid)
                times = process.cpu_times()
                row.cpu[member.name] = times.user + times.system
                row.memory[member.name] = process.memory_info().rss
            with contextlib.suppress(OSError, http.client.HTTPException):
                _read(member, row)
        row.ends = self._ends()
        return row


def _read(member: Member, row: Row) -> None:
    """A consumer's own metrics. Raises OSError where it does not answer."""
    with urllib.request.urlopen(f"{member.url}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    lag: dict[str, dict[int, float]] = {"records": {}, "seconds": {}}
    for name, partition, value in _METRIC.findall(text):
        if partition:
            lag[name.removeprefix("lag_")][int(partition)] = float(value)
        else:
            row.taken[member.name] = float(value)
    for number, records in lag["records"].items():
        row.behind[number] = Behind(int(records), lag["seconds"].get(number, 0.0))


@dataclass(frozen=True)
class Lag:
    """How far reading is behind, at one look."""

    at: float
    records: int
    """Over all partitions."""
    seconds: float
    """Of the partition that is furthest behind."""


def lags(rows: Sequence[Row]) -> list[Lag]:
    """By row. Where nobody reads a partition, its lag grows with the log and the clock."""
    found: list[Lag] = []
    known: dict[int, tuple[Row, Behind]] = {}
    for row in rows:
        known |= {partition: (row, behind) for partition, behind in row.behind.items()}
        now = [_since(partition, *last, row) for partition, last in known.items()]
        found.append(Lag(row.at, sum(each.records for each in now), max((each.seconds for each in now), default=0.0)))
    return found


def _since(partition: int, then: Row, behind: Behind, now: Row) -> Behind:
    """What has become of a lag."""
    if now is then or len(now.ends) <= partition or len(then.ends) <= partition:
        return behind
    records = behind.records + now.ends[partition] - then.ends[partition]
    return Behind(records, behind.seconds + now.at - then.at if records else 0.0)


def standstill(rows: Sequence[Row], begin: float, end: float) -> float:
    """The most seconds in [begin, end) during which a consumer that was there all the time took no record at all."""
    looks = [row for row in rows if begin <= row.at < end]
    stayed = set.intersection(*(set(row.taken) for row in looks[:1] + looks[-1:])) if looks else set()
    most = 0.0
    for name in stayed:
        taken = [(row.at, row.taken[name]) for row in looks if name in row.taken]
        since = taken[0][0]
        for (_, before), (at, after) in pairwise(taken):
            if after > before:
                since = at
            most = max(most, at - since)
    return most
