"""Prometheus' rules for native histograms at ingestion, written down plainly over a decoded message."""

import math
from typing import Any


def _absolute(deltas: list[int]) -> list[int]:
    out, last = [], 0
    for delta in deltas:
        last = (last + delta + 2**63) % 2**64 - 2**63
        out.append(last)
    return out


def _side_is_valid(spans: Any, buckets: list[Any]) -> bool:
    return (
        not any(value < 0 for value in buckets)
        and sum(span.length for span in spans) == len(buckets)
        and not any(span.offset < 0 for span in spans[1:])
    )


def _custom_is_valid(h: Any) -> bool:
    bounds = list(h.custom_values)
    return (
        not (h.negative_spans or h.zero_count_int or h.zero_count_float or h.zero_threshold)
        and all(a < b for a, b in zip([-math.inf, *bounds], bounds, strict=False))
        and math.inf not in bounds
        and not any(span.offset < 0 for span in h.positive_spans)
        and sum(span.offset + span.length for span in h.positive_spans) <= len(bounds) + 1
    )


def histogram_is_valid(h: Any) -> bool:
    zero = h.WhichOneof("zero_count")
    has_ints = bool(h.negative_deltas or h.positive_deltas or zero == "zero_count_int")
    has_floats = bool(h.negative_counts or h.positive_counts or zero == "zero_count_float")
    if h.WhichOneof("count") == "count_float":
        negative, positive, mixed, counted = list(h.negative_counts), list(h.positive_counts), has_ints, True
    else:
        negative, positive = _absolute(h.negative_deltas), _absolute(h.positive_deltas)
        total = (sum(negative) + sum(positive) + h.zero_count_int) % 2**64
        mixed, counted = has_floats, total <= h.count_int if math.isnan(h.sum) else total == h.count_int
    return (
        not mixed
        and counted
        and _side_is_valid(h.negative_spans, negative)
        and _side_is_valid(h.positive_spans, positive)
        and (_custom_is_valid(h) if h.schema == -53 else -4 <= h.schema <= 8 and not h.custom_values)
    )
