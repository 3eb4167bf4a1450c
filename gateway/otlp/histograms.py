"""Native histograms out of exponential histograms, and of explicit bounds as custom buckets."""

from collections.abc import Sequence
from typing import NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, HistogramDataPoint

from gateway.otlp.untranslatable import Untranslatable

_MIN_SCHEMA, _MAX_SCHEMA, _CUSTOM = -4, 8, -53
_ZERO_THRESHOLD = 1e-128
"""Prometheus' own: a point's zero_threshold is not taken over."""
_LARGEST_GAP = 2
"""Empty buckets that are written out rather than skipped by a new span."""
_INT32 = range(-(1 << 31), 1 << 31)
_MAX_COUNT = (1 << 63) - 1


class Buckets(NamedTuple):
    """One side: spans of (offset, length), and each bucket's difference to the one before."""

    spans: list[tuple[int, int]]
    deltas: list[int]


class NativeHistogram(NamedTuple):
    schema: int
    zero_threshold: float
    zero_count: int
    total: int
    sum: float
    negative: Buckets
    positive: Buckets
    custom_values: Sequence[float] = ()


_NONE = Buckets([], [])


def exponential(point: ExponentialHistogramDataPoint) -> NativeHistogram:
    """A scale above 8 is brought down by merging buckets. Raises Untranslatable below -4."""
    schema = point.scale
    if schema < _MIN_SCHEMA:
        raise Untranslatable(f"exponential histogram is too coarse: scale={schema} min={_MIN_SCHEMA}")
    merged = max(schema - _MAX_SCHEMA, 0)
    return NativeHistogram(
        schema - merged,
        _ZERO_THRESHOLD,
        point.zero_count,
        point.count,
        point.sum,
        _merged(point.negative.bucket_counts, point.negative.offset, merged),
        _merged(point.positive.bucket_counts, point.positive.offset, merged),
    )


def custom_buckets(point: HistogramDataPoint) -> NativeHistogram:
    """Bounds stay as they are; the last bucket, up to +Inf, has none in either form."""
    return NativeHistogram(
        _CUSTOM,
        0.0,
        0,
        point.count,
        point.sum,
        _NONE,
        sparse(list(point.bucket_counts), 0),
        point.explicit_bounds,
    )


def sparse(counts: Sequence[int], first: int) -> Buckets:
    """Of buckets beside each other, the first with this index. Raises Untranslatable beyond 32 and 64 bits."""
    start, end = 0, len(counts)
    while start < end and not counts[start]:
        start += 1
    while end > start and not counts[end - 1]:
        end -= 1
    if start == end:
        return _NONE
    counts = counts[start:end]
    first += start
    if first not in _INT32 or first + len(counts) not in _INT32 or max(counts) > _MAX_COUNT:
        raise Untranslatable(f"bucket is out of range: index={first} buckets={len(counts)} largest={max(counts)}")
    spans, kept = [(first, len(counts))], counts
    if 0 in counts:
        spans, kept = _spans(counts, first)
    return Buckets(spans, [after - before for before, after in zip([0, *kept], kept, strict=False)])


def _spans(counts: Sequence[int], first: int) -> tuple[list[tuple[int, int]], Sequence[int]]:
    """Spans without the longer runs of empty buckets, and the counts in them; neither end is empty."""
    spans: list[tuple[int, int]] = []
    kept: list[int] = []
    offset, length, empty = first, 0, 0
    for count in counts:
        if not count:
            empty += 1
            continue
        if empty > _LARGEST_GAP:
            spans.append((offset, length))
            offset, length = empty, 0
        else:
            kept += [0] * empty
            length += empty
        kept.append(count)
        length += 1
        empty = 0
    return [*spans, (offset, length)], kept


def _merged(counts: Sequence[int], offset: int, factor: int) -> Buckets:
    """2^factor buckets as one. OTLP's bucket 0 ends where that of Prometheus with index 0 begins."""
    first = offset >> factor
    if not factor:
        return sparse(list(counts), first + 1)
    coarse = [0] * (((offset + len(counts)) >> factor) - first + 1)
    for position, count in enumerate(list(counts), offset):
        coarse[(position >> factor) - first] += count
    return sparse(coarse, first + 1)
