"""Which buckets a histogram chunk holds: per side, ranges of indices, ascending, disjoint, never adjacent."""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, realloc

from tsdb.histogram cimport Histogram, Span

cdef struct Range:
    int64_t start
    int64_t end      # exclusive

cdef struct Ranges:
    Range* items
    uint32_t count
    uint32_t capacity
    uint32_t buckets

cdef inline void ranges_free(Ranges* r) noexcept nogil:
    free(r.items)
    r.items = NULL
    r.count = r.capacity = r.buckets = 0

cdef inline void ranges_clear(Ranges* r) noexcept nogil:
    r.count = 0
    r.buckets = 0

cdef inline int _push(Ranges* r, int64_t start, int64_t end) noexcept nogil:
    """Adds a range that begins at or behind the last one's start; -1 where memory ran out."""
    cdef Range* items
    cdef Range* last
    cdef uint32_t capacity
    if start == end:
        return 0
    if r.count and r.items[r.count - 1].end >= start:
        last = &r.items[r.count - 1]
        if end > last.end:
            r.buckets += <uint32_t>(end - last.end)
            last.end = end
        return 0
    if r.count == r.capacity:
        capacity = 2 * r.capacity if r.capacity else 8
        items = <Range*>realloc(r.items, <size_t>capacity * sizeof(Range))
        if items == NULL:
            return -1
        r.items = items
        r.capacity = capacity
    r.items[r.count] = Range(start, end)
    r.count += 1
    r.buckets += <uint32_t>(end - start)
    return 0

cdef inline bint ranges_cover(const Ranges* r, const Histogram* h, bint negative) noexcept nogil:
    """Whether every bucket of one side of `h` is in `r`."""
    cdef const Span* spans = h.spans + (h.positive_spans if negative else 0)
    cdef uint32_t n = h.negative_spans if negative else h.positive_spans
    cdef int64_t start = 0
    cdef uint32_t i
    cdef uint32_t k = 0
    for i in range(n):
        start += spans[i].offset
        if spans[i].length == 0:
            continue
        while k < r.count and r.items[k].end <= start:
            k += 1
        if k == r.count or start < r.items[k].start or start + spans[i].length > r.items[k].end:
            return False
        start += spans[i].length
    return True

cdef inline int ranges_union(const Ranges* r, const Histogram* h, bint negative, Ranges* out) noexcept nogil:
    """`out` becomes `r` and the buckets of one side of `h`; -1 where memory ran out."""
    cdef const Span* spans = h.spans + (h.positive_spans if negative else 0)
    cdef uint32_t n = h.negative_spans if negative else h.positive_spans
    cdef int64_t start = 0
    cdef uint32_t i
    cdef uint32_t k = 0
    ranges_clear(out)
    for i in range(n):
        start += spans[i].offset
        while k < r.count and r.items[k].start <= start:
            if _push(out, r.items[k].start, r.items[k].end) < 0:
                return -1
            k += 1
        if _push(out, start, start + spans[i].length) < 0:
            return -1
        start += spans[i].length
    while k < r.count:
        if _push(out, r.items[k].start, r.items[k].end) < 0:
            return -1
        k += 1
    return 0
