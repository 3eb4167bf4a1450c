"""Samples of several sources, merged by time in C memory; inline for kernels.

Each source adds an ascending run, sources with priority first. Sorting is stable, so of equal times the first stays first.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from tsdb.xor cimport XorReader, xor_next, xor_open

cdef struct Sample:
    int64_t t
    uint64_t value      # bits of a float, or the caller's number for a histogram
    bint histogram

cdef struct SampleRuns:
    # Begins zeroed; `runs_free` ends it.
    Sample* items
    size_t count
    size_t capacity
    size_t* ends        # of each run, in items
    size_t runs
    size_t run_capacity

cdef inline void runs_free(SampleRuns* s) noexcept nogil:
    free(s.items)
    free(s.ends)
    s.items = NULL
    s.ends = NULL
    s.count = s.capacity = s.runs = s.run_capacity = 0

cdef inline int runs_push(SampleRuns* s, int64_t t, uint64_t value, bint histogram) noexcept nogil:
    """Adds to the current run, at or after its last time; -1 where memory ran out."""
    cdef Sample* items
    cdef size_t capacity
    if s.count == s.capacity:
        capacity = 2 * s.capacity if s.capacity else 256
        items = <Sample*>realloc(s.items, capacity * sizeof(Sample))
        if items == NULL:
            return -1
        s.items = items
        s.capacity = capacity
    s.items[s.count] = Sample(t, value, histogram)
    s.count += 1
    return 0

cdef inline int runs_end(SampleRuns* s) noexcept nogil:
    """Ends the current run; -1 where memory ran out."""
    cdef size_t* ends
    cdef size_t capacity
    if s.runs == s.run_capacity:
        capacity = 2 * s.run_capacity if s.run_capacity else 16
        ends = <size_t*>realloc(s.ends, capacity * sizeof(size_t))
        if ends == NULL:
            return -1
        s.ends = ends
        s.run_capacity = capacity
    s.ends[s.runs] = s.count
    s.runs += 1
    return 0

cdef inline int runs_add_xor(
    SampleRuns* s, const uint8_t* data, size_t size, int64_t first, int64_t last, int64_t mint, int64_t maxt
) noexcept nogil:
    """Adds one XOR chunk's samples of [mint, maxt] as a run.

    -1 where the chunk is damaged, goes back in time or leaves [first, last], which it says of itself; -2 where memory
    ran out.
    """
    cdef XorReader r
    cdef int status
    cdef int64_t before = first
    if xor_open(&r, data, size) < 0:
        return -1
    while True:
        status = xor_next(&r)
        if status == 0:
            return -2 if runs_end(s) < 0 else 0
        if status < 0 or r.t < before or r.t > last:
            return -1
        before = r.t
        if mint <= r.t <= maxt and runs_push(s, r.t, r.v, False) < 0:
            return -2

cdef inline void _merge_two(
    const Sample* a, const Sample* a_end, const Sample* b, const Sample* b_end, Sample* out
) noexcept nogil:
    while a < a_end and b < b_end:
        if b.t < a.t:
            out[0] = b[0]
            b += 1
        else:
            out[0] = a[0]
            a += 1
        out += 1
    memcpy(out, a, (a_end - a) * sizeof(Sample))
    memcpy(out + (a_end - a), b, (b_end - b) * sizeof(Sample))

cdef inline int runs_sort(SampleRuns* s) noexcept nogil:
    """Makes all runs one, ascending and stable, in n log(runs); -1 where memory ran out, all is then as it was."""
    cdef Sample* other
    cdef Sample* swap
    cdef size_t i, start, middle, end, merged
    if s.runs < 2:
        return 0
    other = <Sample*>malloc((s.count if s.count else 1) * sizeof(Sample))
    if other == NULL:
        return -1
    while s.runs > 1:
        merged = 0
        start = 0
        for i in range(0, s.runs, 2):
            middle = s.ends[i]
            end = s.ends[i + 1] if i + 1 < s.runs else middle
            _merge_two(s.items + start, s.items + middle, s.items + middle, s.items + end, other + start)
            s.ends[merged] = end
            merged += 1
            start = end
        s.runs = merged
        swap = s.items
        s.items = other
        other = swap
        s.capacity = s.count
    free(other)
    return 0
