"""A native histogram sample as Python sees it."""

from typing import NamedTuple

STALE_BITS = 0x7FF0000000000002
"""The stale marker: a signalling NaN, compared by bits and never passed through float arithmetic."""

HINT_UNKNOWN = 0
HINT_RESET = 1
HINT_NOT_RESET = 2
HINT_GAUGE = 3

_U64 = (1 << 64) - 1


class Histogram(NamedTuple):
    """Counts are integers, or with `is_float` the 64 bits of doubles, as `sum_bits` always is.

    A span is (offset, length): the first offset is a bucket's index, a later one counts the buckets left out. Integer
    buckets are int64 differences to the bucket before on the same side, the first one absolute, as in remote-write;
    float buckets are the bits of absolute counts. `custom_values` are the bounds of schema -53.
    """

    t: int
    is_float: bool
    schema: int
    zero_threshold: float
    sum_bits: int
    count: int  # type: ignore[assignment] # hides tuple.count, which nobody needs here
    zero_count: int
    reset_hint: int
    positive_spans: tuple[tuple[int, int], ...]
    negative_spans: tuple[tuple[int, int], ...]
    positive_buckets: tuple[int, ...]
    negative_buckets: tuple[int, ...]
    custom_values: tuple[float, ...]

    @property
    def is_stale(self) -> bool:
        return self.sum_bits == STALE_BITS

    def absolute(self, *, negative: bool) -> dict[int, int]:
        """Index to absolute count (modulo 2^64, or bits of a double) of one side's buckets that hold anything."""
        counts: dict[int, int] = {}
        buckets = iter(self.negative_buckets if negative else self.positive_buckets)
        start = value = 0
        for offset, length in self.negative_spans if negative else self.positive_spans:
            start += offset
            for index in range(start, start + length):
                bucket = next(buckets)
                value = bucket if self.is_float else (value + bucket) & _U64
                if value:
                    counts[index] = value
            start += length
        return counts

    def same_value(self, other: "Histogram") -> bool:
        """Whether both say the same: layouts may differ in empty buckets, and hints unless one is HINT_GAUGE."""
        if self.is_stale or other.is_stale:
            return self.is_stale == other.is_stale and self.is_float == other.is_float
        return (
            self[1:7] == other[1:7]
            and (self.reset_hint == HINT_GAUGE) == (other.reset_hint == HINT_GAUGE)
            and self.custom_values == other.custom_values
            and self.absolute(negative=False) == other.absolute(negative=False)
            and self.absolute(negative=True) == other.absolute(negative=True)
        )
