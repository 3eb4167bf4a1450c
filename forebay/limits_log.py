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
from broker.record import tenant_of, version_of
from consumers.replay_range import BadSelection, Bound, Offset, Span, offset_for_time
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
) -> TrialReport:
    """Reads the spans once; `advance` is told of every stretch of offsets that was read.

    Raises LogUnavailable, LogCorrupt, and UnsupportedRecord of a newer gateway.
    """
    policies = Policies(
        judged(defaults), HaSettings(), log.partitions, {name: judged(each) for name, each in overrides.items()}
    )
    trial: Trial | None = None
    damaged = 0
    for record in heapq.merge(*(_records(log, span, advance) for span in spans), key=lambda each: each.append_time):
        trial = trial or Trial(policies, log.partitions, record.append_time, active_window_ms=active_window_ms)
        tenant = _tenant(record)
        if tenant:
            trial.judge(tenant, record.value, record.append_time)
        else:
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


def _tenant(record: Record) -> str:
    """Empty where the record cannot be decoded."""
    try:
        version_of(record)
        return "" if record.damaged else tenant_of(record)
    except InvalidData:
        return ""


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
