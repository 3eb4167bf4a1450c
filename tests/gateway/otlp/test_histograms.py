from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, HistogramDataPoint

from gateway.otlp.histograms import Buckets, custom_buckets, exponential
from gateway.otlp.untranslatable import Untranslatable

COUNTS = st.lists(st.sampled_from([0, 0, 0, 1, 2, 1000]), max_size=40)


def by_index(buckets: Buckets) -> dict[int, int]:
    """Absolute counts; checks that the layout is one that a receiver accepts."""
    index = count = 0
    found, deltas = {}, iter(buckets.deltas)
    for number, (offset, length) in enumerate(buckets.spans):
        assert number == 0 or offset > 2
        assert length > 0
        index += offset
        for _ in range(length):
            count += next(deltas)
            found[index] = count
            index += 1
    assert list(deltas) == []
    return {index: count for index, count in found.items() if count}


@given(COUNTS, COUNTS, st.integers(-500, 500), st.integers(-4, 20))
def test_every_count_goes_to_the_bucket_that_holds_its_range(
    positive: list[int], negative: list[int], offset: int, scale: int
) -> None:
    point = ExponentialHistogramDataPoint(scale=scale, count=sum(positive) + sum(negative))
    point.positive.offset, point.negative.offset = offset, -offset
    point.positive.bucket_counts.extend(positive)
    point.negative.bucket_counts.extend(negative)
    translated = exponential(point)
    merged = max(scale - 8, 0)
    assert translated.schema == min(scale, 8)
    for buckets, counts, first in (
        (translated.positive, positive, offset),
        (translated.negative, negative, -offset),
    ):
        expected: Counter[int] = Counter()
        for position, count in enumerate(counts):
            # OTLP names a bucket by its lower end, Prometheus by its upper one.
            expected[(first + position) // 2**merged + 1] += count
        assert by_index(buckets) == {index: count for index, count in expected.items() if count}


@given(COUNTS)
def test_custom_buckets_keep_their_index(counts: list[int]) -> None:
    bounds = [float(n) for n in range(len(counts) - 1)]
    point = HistogramDataPoint(count=sum(counts), explicit_bounds=bounds, bucket_counts=counts, sum=2.5)
    translated = custom_buckets(point)
    assert by_index(translated.positive) == {index: count for index, count in enumerate(counts) if count}
    assert (translated.schema, translated.sum, translated.negative.spans) == (-53, 2.5, [])
    assert list(translated.custom_values) == bounds


def test_too_coarse_a_scale() -> None:
    with pytest.raises(Untranslatable, match="scale=-5 min=-4"):
        exponential(ExponentialHistogramDataPoint(scale=-5))


@pytest.mark.parametrize(("offset", "count"), [((1 << 31) - 1, 1), (0, 1 << 63)])
def test_buckets_beyond_what_the_wire_can_say(offset: int, count: int) -> None:
    point = ExponentialHistogramDataPoint(count=1)
    point.positive.offset = offset
    point.positive.bucket_counts.append(count)
    with pytest.raises(Untranslatable, match="bucket is out of range"):
        exponential(point)
