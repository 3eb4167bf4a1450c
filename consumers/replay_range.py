"""Which offsets a replay is about: what an operator asks for, by offset or by time, as spans of each chain."""

from collections.abc import Sequence
from typing import NamedTuple

from broker.log import LogReader
from bucket.manifests import ManifestStore
from forebay.errors import Fatal


class Offset(int):
    """A bound by place."""


class Time(int):
    """A bound by append time, ms since the epoch."""


Bound = Offset | Time


class Selection(NamedTuple):
    """Segments that hold records in [start, end); None is the end of what there is."""

    partitions: tuple[int, ...] = ()
    """Empty: all of them."""
    start: Bound | None = None
    end: Bound | None = None


class Span(NamedTuple):
    """Offsets [start, end) of one chain."""

    log_id: str
    partition: int
    start: int
    end: int


class BadSelection(Fatal):
    """What was asked for is not there."""


def resolve(selection: Selection, log: LogReader, manifests: ManifestStore) -> list[Span]:
    """Ascending by log and partition; chains of other logs in the bucket too, where no offset is named.

    Raises BadSelection, LogUnavailable, ManifestCorrupt, and what the bucket raises.
    """
    of_log = {(log.log_id, partition) for partition in range(log.partitions)}
    chains = of_log | set(manifests.partitions())
    unknown = set(selection.partitions) - {partition for _, partition in chains}
    if unknown:
        raise BadSelection(
            f"there is no such partition partitions={sorted(unknown)} of_log={log.partitions}",
            hint="see which there are: forebay audit",
        )
    if isinstance(selection.start, Offset) or isinstance(selection.end, Offset):
        if len(selection.partitions) != 1:
            raise BadSelection(
                "offsets mean something within one partition only", hint="name it: --partition=N, or give times"
            )
        chains &= of_log
    spans = []
    for log_id, partition in sorted(chains):
        if selection.partitions and partition not in selection.partitions:
            continue
        chain = _Chain(log if (log_id, partition) in of_log else None, manifests, log_id, partition)
        start = 0 if selection.start is None else chain.offset(selection.start, ends=False)
        end = chain.end() if selection.end is None else min(chain.end(), chain.offset(selection.end, ends=True))
        if start < end:
            spans.append(Span(log_id, partition, start, end))
    return spans


def offset_for_time(log: LogReader, partition: int, time: int) -> int:
    """The first offset whose record was appended at `time` or later; the log's end where there is none.

    Some twenty reads. Where append times go back, any offset at which they pass `time`.
    """
    low, high = log.start_offset(partition), log.end_offset(partition)
    while low < high:
        middle = (low + high) // 2
        records = log.read(partition, middle, 1)
        if not records or records[0].offset >= high or records[0].append_time >= time:
            high = middle
        else:
            low = records[0].offset + 1
    return low


class _Chain:
    """A partition as log and manifests know it."""

    def __init__(self, log: LogReader | None, manifests: ManifestStore, log_id: str, partition: int) -> None:
        self._log = log
        self._manifests = manifests
        self._log_id = log_id
        self._partition = partition

    def end(self) -> int:
        last = self._manifests.last(self._log_id, self._partition)
        in_log = self._log.end_offset(self._partition) if self._log else 0
        return max(in_log, last.end if last else 0)

    def offset(self, bound: Bound, *, ends: bool) -> int:
        if isinstance(bound, Offset):
            return int(bound)
        if self._log is not None:
            found = offset_for_time(self._log, self._partition, bound)
            if found > self._log.start_offset(self._partition):
                return found
        return self._by_manifests(bound, ends=ends)

    def _by_manifests(self, time: int, *, ends: bool) -> int:
        """What lies before the log's first record: to the segment, which is all that a replay asks for."""
        for manifest in self._manifests.chain(self._log_id, self._partition):
            if (manifest.first_append_time if ends else manifest.last_append_time) >= time:
                return manifest.start
        return self._log.start_offset(self._partition) if self._log else self.end()


def within(spans: Sequence[Span]) -> int:
    """How many offsets they hold."""
    return sum(span.end - span.start for span in spans)
