"""Walks one side of a native histogram bucket by bucket: index and absolute count."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from tsdb.histogram cimport Histogram, Span

cdef struct BucketWalk:
    const Span* span
    const Span* end
    const uint64_t* bucket
    uint32_t within        # buckets of this span seen so far
    bint is_float
    int64_t next_index
    int64_t index          # of the bucket last seen
    uint64_t value         # its absolute count: int64 or bits of a double

cdef inline void walk_begin(BucketWalk* w, const Histogram* h, bint negative) noexcept nogil:
    """The histogram's shape must be right (`histogram_shape_ok`)."""
    w.span = h.spans + (h.positive_spans if negative else 0)
    w.end = w.span + (h.negative_spans if negative else h.positive_spans)
    w.bucket = h.buckets + (h.positive_buckets if negative else 0)
    w.within = 0
    w.is_float = h.is_float
    w.next_index = w.span.offset if w.span < w.end else 0
    w.value = 0

cdef inline bint walk_next(BucketWalk* w) noexcept nogil:
    """Moves to the next bucket; False behind the last one."""
    while w.span < w.end and w.within == w.span.length:
        w.span += 1
        w.within = 0
        if w.span < w.end:
            w.next_index += w.span.offset
    if w.span >= w.end:
        return False
    w.index = w.next_index
    w.next_index += 1
    w.within += 1
    if w.is_float:
        w.value = w.bucket[0]
    else:
        w.value += w.bucket[0]
    w.bucket += 1
    return True

cdef inline double as_double(uint64_t bits) noexcept nogil:
    """For comparing only: a stale marker must not be stored as a double."""
    cdef double value
    memcpy(&value, &bits, 8)
    return value

cdef inline bint less_count(uint64_t a, uint64_t b, bint is_float) noexcept nogil:
    """Whether count `a` is below count `b`; NaN is below nothing."""
    if is_float:
        return as_double(a) < as_double(b)
    return a < b

cdef inline bint bucket_decreased(const Histogram* a, const Histogram* b) noexcept nogil:
    """Whether any bucket of `a` holds less in `b`, of the same kind; a bucket that is not there holds nothing."""
    cdef BucketWalk before, after
    cdef bint more, lower
    cdef uint64_t value
    cdef uint32_t side
    for side in range(2):
        walk_begin(&before, a, side)
        walk_begin(&after, b, side)
        more = walk_next(&after)
        while walk_next(&before):
            while more and after.index < before.index:
                more = walk_next(&after)
            value = after.value if more and after.index == before.index else 0
            if a.is_float:
                lower = as_double(value) < as_double(before.value)
            else:
                lower = <int64_t>value < <int64_t>before.value
            if lower:
                return True
    return False
