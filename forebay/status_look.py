"""Gathers a StatusReport: the group, the manifests, whatever consumers answer, and the log's ends.

The log's ends come last: were they first, what was published since would seem to lie behind them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from broker.log import GroupDescription, GroupView, LogReader
from bucket.bucket import Bucket, BucketUnavailable
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from forebay.append_times import AppendTimes, age
from forebay.clock import Clock
from forebay.errors import ForebayError
from forebay.status_consumers import Answer, HeldPartition, ask
from forebay.status_problems import problems_of_consumer, problems_of_partition
from forebay.status_report import LastManifest, OpenSegment, PartitionReport, Problem, StatusReport

_THREADS = 8


class _Chain(NamedTuple):
    """The end of a partition's manifests."""

    known: bool
    last: Manifest | None = None
    away: bool = False
    """The bucket does not answer."""


class Looker:
    """Looks again and again. For one thread; what it was given stays the caller's to close."""

    def __init__(
        self,
        log: LogReader,
        group: GroupView,
        bucket: Bucket,
        *,
        group_id: str,
        urls: Sequence[str],
        late_seconds: float,
        clock: Clock,
        ask: Callable[[str], Answer] = ask,
    ) -> None:
        """`late_seconds`: how old a record may be that is in no manifest, while all is well."""
        self._log = log
        self._group = group
        self._bucket = bucket
        self._manifests = ManifestStore(bucket)
        self._group_id = group_id
        self._urls = urls
        self._late_seconds = late_seconds
        self._clock = clock
        self._ask = ask
        self._times = AppendTimes(log)
        self._problems: list[Problem] = []

    def look(self) -> StatusReport:
        """Raises LogUnavailable, LogCorrupt. What else is wrong is in the report."""
        self._problems = []
        numbers = range(self._log.partitions)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="status") as pool:
            asking = [pool.submit(self._ask, url) for url in self._urls]
            group = self._describe()
            hints = group.committed if group else {}
            chains = [self._chain(number, hints.get(number)) for number in numbers[:1]]
            if chains[0].away:  # it would keep every one of them waiting
                chains += [_Chain(known=False)] * (len(numbers) - 1)
            else:
                chains += pool.map(lambda number: self._chain(number, hints.get(number)), numbers[1:])
            answers = [each.result() for each in asking]
            held = {row.partition: row for answer in answers for row in answer.held}
            rows = pool.map(lambda number: self._row(number, group, chains[number], held.get(number)), numbers)
            partitions = tuple(rows)
        for row in partitions:
            self._problems += problems_of_partition(row, self._late_seconds, self._group_id, grouped=group is not None)
        for answer in answers:
            self._problems += problems_of_consumer(answer, self._log.log_id)
        return StatusReport(
            at=self._clock.now_ms(),
            log_id=self._log.log_id,
            group=self._group_id,
            bucket=self._bucket.description,
            partitions=partitions,
            consumers=tuple(answer.report for answer in answers),
            problems=tuple(dict.fromkeys(self._problems)),  # a bucket that goes away meanwhile is said once
        )

    def _describe(self) -> GroupDescription | None:
        try:
            return self._group.describe()
        except ForebayError as error:
            self._problems.append(Problem("group", error.args[0], error.hint))
            return None

    def _chain(self, number: int, hint: int | None) -> _Chain:
        try:
            return _Chain(known=True, last=self._manifests.last(self._log.log_id, number, hint))
        except ForebayError as error:
            away = isinstance(error, BucketUnavailable)
            self._problems.append(Problem("bucket" if away else f"partition {number}", error.args[0], error.hint))
            return _Chain(known=False, away=away)

    def _row(
        self, number: int, group: GroupDescription | None, chain: _Chain, held: HeldPartition | None
    ) -> PartitionReport:
        start, end = self._log.start_offset(number), self._log.end_offset(number)
        committed = group.committed.get(number) if group else None
        published = (chain.last.end if chain.last else 0) if chain.known else committed
        waiting_from = max(start, published or 0)
        unpublished = max(0, end - waiting_from)
        since = None
        if unpublished:
            since = self._times.at(number, waiting_from)
        lag = max(0, end - held.position) if held else None
        now_ms = self._clock.now_ms()
        return PartitionReport(
            partition=number,
            owner=group.owner(number) if group else None,
            start_offset=start,
            end_offset=end,
            committed=committed,
            position=held.position if held else None,
            lag=lag,
            lag_seconds=self._times.age(number, held.position, now_ms) if held and lag else (0.0 if held else None),
            published=published,
            by_manifest=chain.known,
            unpublished=unpublished,
            unpublished_seconds=age(since, now_ms),
            open=_open_segment(waiting_from, since, held) if unpublished else None,
            last_manifest=LastManifest.of(chain.last) if chain.last else None,
            failing=held.failing if held else "",
        )


def _open_segment(start: int, since: int | None, held: HeldPartition | None) -> OpenSegment:
    if held is None:
        return OpenSegment(start=start, since=since)
    return OpenSegment(
        start=start,
        since=since,
        records=held.records,
        samples=held.samples,
        series=held.series,
        memory_bytes=held.memory_bytes,
        sealing=held.sealing,
    )
