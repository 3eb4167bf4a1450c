"""Limits tried on a range of the log: every record is judged as if it were a request that came when it was appended.

A record holds what one request sent to one partition, after the limits then in force. So limits of series, labels,
samples and buckets are judged exactly; what a request may hold as a whole cannot be, and is not. A record that finds
its tenant's bucket empty is refused, where a gateway would have refused the whole request.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from broker.log import LogReader, Record
from broker.record import is_version_2, tenant_of
from bucket.manifest import LABEL_WINDOW
from consumers.replay_range import BadSelection, Bound, Offset, Span, offset_for_time
from consumers.written_out import WrittenOut
from forebay.errors import InvalidData
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.trial import Trial
from gateway.trial_report import TrialReport

PER_REQUEST = (
    "max_request_bytes",
    "max_series_per_request",
    "max_samples_per_request",
    "max_exemplars_per_request",
)
"""Limits of a request as a whole."""
_READ_BYTES = 1 << 20


class LogRange(NamedTuple):
    """What is asked for; None is the end of what there is."""

    partitions: Sequence[int] = ()
    """Empty: all of them."""
    start: Bound | None = None
    end: Bound | None = None


def resolve(asked: LogRange, log: LogReader) -> list[Span]:
    """By partition; only what the log still holds. Raises BadSelection, LogUnavailable."""
    unknown = set(asked.partitions) - set(range(log.partitions))
    if unknown:
        raise BadSelection(f"there is no such partition partitions={sorted(unknown)} of_log={log.partitions}")
    by_offset = isinstance(asked.start, Offset) or isinstance(asked.end, Offset)
    if by_offset and len(asked.partitions) != 1:
        raise BadSelection(
            "offsets mean something within one partition only", hint="name it: --partition=N, or give times"
        )
    spans = []
    for partition in sorted(set(asked.partitions)) or range(log.partitions):
        oldest, newest = log.start_offset(partition), log.end_offset(partition)
        start = oldest if asked.start is None else max(oldest, _offset(log, partition, asked.start))
        end = newest if asked.end is None else min(newest, _offset(log, partition, asked.end))
        if start < end:
            spans.append(Span(log.log_id, partition, start, end))
    return spans


def try_on_log(
    log: LogReader,
    spans: Sequence[Span],
    defaults: LimitSettings,
    overrides: Mapping[str, LimitSettings],
    *,
    advance: Callable[[int], None],
    active_window_ms: int,
    looks_back: int = 2 * LABEL_WINDOW,
) -> TrialReport:
    """Reads the spans once; `advance` is told of every stretch of offsets that was read.

    For records of version 2, labels from `looks_back` before each span are learned first.

    Raises LogUnavailable, LogCorrupt, and UnsupportedRecord of a newer gateway.
    """
    policies = Policies(
        judged(defaults), HaSettings(), log.partitions, {name: judged(each) for name, each in overrides.items()}
    )
    trial: Trial | None = None
    damaged = 0
    written = WrittenOut(looks_back)
    begun: set[int] = set()
    for record in heapq.merge(*(_records(log, span, advance) for span in spans), key=lambda each: each.append_time):
        trial = trial or Trial(policies, log.partitions, record.append_time, active_window_ms=active_window_ms)
        if record.partition not in begun and is_version_2(record):
            begun.add(record.partition)
            written.look_back(log, record)
        try:
            trial.judge(tenant_of(record), _value(record, written), record.append_time)
        except InvalidData:
            damaged += 1
    trial = trial or Trial(policies, log.partitions, 0)
    report = trial.report()
    return msgspec.structs.replace(report, undecodable=report.undecodable + damaged)


def judged(limits: LimitSettings) -> LimitSettings:
    """Without those that a record cannot be judged by."""
    return msgspec.structs.replace(limits, **dict.fromkeys(not_judged(limits), 0))


def not_judged(limits: LimitSettings) -> list[str]:
    """Limits that are set, and that a record cannot be judged by."""
    return [name for name in PER_REQUEST if getattr(limits, name, 0)]


def _value(record: Record, written: WrittenOut) -> bytes:
    """As version 1 has it. Raises InvalidData where the record cannot be decoded."""
    if record.damaged:
        raise InvalidData(record.damaged)
    return written.value(record)


def _offset(log: LogReader, partition: int, bound: Bound) -> int:
    return int(bound) if isinstance(bound, Offset) else offset_for_time(log, partition, bound)


def _records(log: LogReader, span: Span, advance: Callable[[int], None]) -> Iterator[Record]:
    offset = span.start
    while offset < span.end and (records := log.read(span.partition, offset, _READ_BYTES)):
        for record in records:
            if record.offset >= span.end:
                break
            yield record
        after = min(records[-1].offset + 1, span.end)
        advance(after - offset)
        offset = after
    log.confirm()
