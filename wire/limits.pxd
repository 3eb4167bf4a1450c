"""What a request may hold besides what makes it valid. All ones in a field: any number."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    MAX_LABEL_PAIRS = 1024   # of one series where no limit is lower

cdef struct Limits:
    uint32_t label_pairs
    uint32_t name_bytes
    uint32_t value_bytes
    uint64_t series          # entries of TimeSeries
    uint64_t samples         # float and histogram samples
    uint64_t exemplars
    uint64_t buckets         # of one native histogram
    # Bounds that hold where those of time only count.
    int64_t outer_min_time
    int64_t outer_max_time

cdef inline uint32_t limit32(uint64_t value) noexcept nogil:
    """A setting, of which 0 is any number, as a limit."""
    return <uint32_t>value if 0 < value < <uint32_t>-1 else <uint32_t>-1

cdef inline uint64_t limit64(uint64_t value) noexcept nogil:
    return value if value else <uint64_t>-1
