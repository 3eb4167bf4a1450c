"""Native histograms out of exponential histograms, and of explicit bounds as custom buckets."""

from collections.abc import Iterable, Sequence
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
        # OTLP's bucket 0 ends where that of Prometheus with index 0 begins.
        sparse(_indexed(point.negative.bucket_counts, point.negative.offset, merged)),
        sparse(_indexed(point.positive.bucket_counts, point.positive.offset, merged)),
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
        sparse((index, count) for index, count in enumerate(list(point.bucket_counts)) if count),
        point.explicit_bounds,
    )


def sparse(buckets: Iterable[tuple[int, int]]) -> Buckets:
    """Of (index, count) in ascending order, none empty. Raises Untranslatable at what 32 and 64 bits do not hold."""
    spans: list[tuple[int, int]] = []
    deltas: list[int] = []
    end = before = 0
    for index, count in buckets:
        if index not in _INT32 or count > _MAX_COUNT:
            raise Untranslatable(f"bucket is out of range: index={index} count={count}")
        gap = index - end
        if not spans or gap > _LARGEST_GAP:
            spans.append((gap, 1))
        else:
            if gap:
                deltas.append(-before)
                deltas.extend([0] * (gap - 1))
                before = 0
            offset, length = spans[-1]
            spans[-1] = (offset, length + gap + 1)
        deltas.append(count - before)
        before = count
        end = index + 1
    return Buckets(spans, deltas)


def _indexed(counts: Sequence[int], offset: int, merged: int) -> Iterable[tuple[int, int]]:
    """Each bucket that is not empty, 2^merged of them as one."""
    index, total = 0, 0
    for position, count in enumerate(list(counts)):
        if not count:
            continue
        at = ((position + offset) >> merged) + 1
        if total and at != index:
            yield index, total
            total = 0
        index = at
        total += count
    if total:
        yield index, total
