"""Native histograms as they come in: one pass that decides whether a Histogram message may be stored.

The rules are Prometheus' own for ingestion (docs/formats.md, "native histograms"), on schemas -4..8 and -53; besides,
a message that mixes integer and float fields is refused, since a reader would have to ignore half of it.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)

cdef enum:
    CUSTOM_BUCKETS = -53
    MIN_SCHEMA = -4
    MAX_SCHEMA = 8

cdef struct BucketSide:
    uint64_t spans
    uint64_t length      # sum of span lengths
    uint64_t reach       # sum of span offsets and lengths: as many custom buckets are needed
    uint64_t buckets
    int64_t last         # absolute value of the last integer bucket
    uint64_t total       # sum of absolute integer buckets
    bint first_negative  # the first span's offset is below zero
    bint broken          # a later span's offset, or a bucket, is below zero

cdef struct HistogramShape:
    BucketSide negative
    BucketSide positive
    bint is_float        # the last of the oneof `count`
    bint has_ints        # integer buckets or an integer zero count
    bint has_floats
    uint64_t count
    uint64_t zero_count
    double zero_float
    double sum
    double zero_threshold
    int32_t schema
    int64_t timestamp
    uint64_t bounds
    double last_bound
    bint bounds_broken

cdef inline int32_t _zigzag32(uint64_t raw) noexcept nogil:
    cdef uint32_t n = <uint32_t>raw
    return <int32_t>(n >> 1) ^ -<int32_t>(n & 1)

cdef inline int64_t _zigzag64(uint64_t raw) noexcept nogil:
    return <int64_t>(raw >> 1) ^ -<int64_t>(raw & 1)

cdef inline double _as_double(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, 8)
    return value

cdef inline int _read_span(Cursor* c, uint32_t wire_type, BucketSide* side) noexcept nogil:
    cdef Cursor span
    cdef uint32_t field, inner_type
    cdef uint64_t raw
    cdef int32_t offset = 0
    cdef uint32_t length = 0
    if wire_type != WIRE_BYTES or read_bytes(c, &span) < 0:
        return -1
    while span.p < span.end:
        if read_tag(&span, &field, &inner_type) < 0:
            return -1
        if field > 2:
            if skip_field(&span, inner_type) < 0:
                return -1
            continue
        if inner_type != WIRE_VARINT or read_varint(&span, &raw) < 0:
            return -1
        if field == 1:
            offset = _zigzag32(raw)
        else:
            length = <uint32_t>raw
    if offset < 0:
        if side.spans:
            side.broken = True
        else:
            side.first_negative = True
    else:
        side.reach += <uint32_t>offset
    side.spans += 1
    side.length += length
    side.reach += length
    return 0

cdef inline int _read_deltas(Cursor* c, uint32_t wire_type, BucketSide* side) noexcept nogil:
    """Packed or one by one."""
    cdef Cursor packed
    cdef uint64_t raw
    if wire_type == WIRE_VARINT:
        packed = c[0]
        if read_varint(c, &raw) < 0:
            return -1
        packed.end = c.p
    elif wire_type != WIRE_BYTES or read_bytes(c, &packed) < 0:
        return -1
    while packed.p < packed.end:
        if read_varint(&packed, &raw) < 0:
            return -1
        side.last += _zigzag64(raw)
        side.total += <uint64_t>side.last
        side.buckets += 1
        if side.last < 0:
            side.broken = True
    return 0

cdef inline int _read_doubles(Cursor* c, uint32_t wire_type, Cursor* packed) noexcept nogil:
    """Packed or one by one, as a cursor over whole doubles."""
    cdef uint64_t bits
    if wire_type == WIRE_FIXED64:
        packed[0] = c[0]
        if read_fixed64(c, &bits) < 0:
            return -1
        packed.end = c.p
        return 0
    if wire_type != WIRE_BYTES or read_bytes(c, packed) < 0:
        return -1
    return -1 if (packed.end - packed.p) & 7 else 0

cdef inline int _read_counts(Cursor* c, uint32_t wire_type, BucketSide* side) noexcept nogil:
    cdef Cursor packed
    cdef uint64_t bits
    if _read_doubles(c, wire_type, &packed) < 0:
        return -1
    while read_fixed64(&packed, &bits) == 0:
        side.buckets += 1
        if _as_double(bits) < 0:
            side.broken = True
    return 0

cdef inline int _read_bounds(Cursor* c, uint32_t wire_type, HistogramShape* h) noexcept nogil:
    cdef Cursor packed
    cdef uint64_t bits
    cdef double bound
    if _read_doubles(c, wire_type, &packed) < 0:
        return -1
    while read_fixed64(&packed, &bits) == 0:
        bound = _as_double(bits)
        if not bound > h.last_bound:  # a NaN too
            h.bounds_broken = True
        h.last_bound = bound
        h.bounds += 1
    return 0

cdef inline int _read_scalar(Cursor* c, uint32_t field, uint32_t wire_type, HistogramShape* h) noexcept nogil:
    cdef uint64_t raw
    if field == 2 or field == 3 or field == 5 or field == 7:
        if wire_type != WIRE_FIXED64 or read_fixed64(c, &raw) < 0:
            return -1
    elif wire_type != WIRE_VARINT or read_varint(c, &raw) < 0:
        return -1
    if field == 1:
        h.is_float = False
        h.count = raw
    elif field == 2:
        h.is_float = True
    elif field == 3:
        h.sum = _as_double(raw)
    elif field == 4:
        h.schema = _zigzag32(raw)
    elif field == 5:
        h.zero_threshold = _as_double(raw)
    elif field == 6:
        h.zero_count = raw
        h.zero_float = 0
        h.has_ints = True
    elif field == 7:
        h.zero_count = 0
        h.zero_float = _as_double(raw)
        h.has_floats = True
    elif field == 15:
        h.timestamp = <int64_t>raw
    return 0

cdef inline int _read_shape(Cursor c, HistogramShape* h) noexcept nogil:
    cdef uint32_t field, wire_type
    memset(h, 0, sizeof(HistogramShape))
    h.last_bound = -INFINITY
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 8 or field == 11:
            if _read_span(&c, wire_type, &h.negative if field == 8 else &h.positive) < 0:
                return -1
        elif field == 9 or field == 12:
            h.has_ints = True
            if _read_deltas(&c, wire_type, &h.negative if field == 9 else &h.positive) < 0:
                return -1
        elif field == 10 or field == 13:
            h.has_floats = True
            if _read_counts(&c, wire_type, &h.negative if field == 10 else &h.positive) < 0:
                return -1
        elif field == 16:
            if _read_bounds(&c, wire_type, h) < 0:
                return -1
        elif field < 16:
            if _read_scalar(&c, field, wire_type, h) < 0:
                return -1
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0

cdef inline bint _is_valid(const HistogramShape* h) noexcept nogil:
    cdef uint64_t total = h.negative.total + h.positive.total + h.zero_count
    if h.negative.broken or h.positive.broken or (h.has_ints if h.is_float else h.has_floats):
        return False
    if h.negative.length != h.negative.buckets or h.positive.length != h.positive.buckets:
        return False
    if h.schema == CUSTOM_BUCKETS:
        if h.negative.spans or h.zero_count or h.zero_float != 0 or h.zero_threshold != 0:
            return False
        if h.positive.first_negative or h.bounds_broken or h.last_bound == INFINITY:
            return False
        if h.positive.reach > h.bounds + 1:
            return False
    elif h.schema < MIN_SCHEMA or h.schema > MAX_SCHEMA or h.bounds:
        return False
    if h.is_float:
        return True
    return total <= h.count if h.sum != h.sum else total == h.count

cdef inline int check_histogram(Cursor c, int64_t* timestamp, uint64_t* buckets) noexcept nogil:
    """0 if the message may be stored, 1 if it is invalid, -1 if it is malformed.

    Where it is not malformed, its time, and its buckets: those of both sides, or custom bounds where they are more.
    """
    cdef HistogramShape h
    if _read_shape(c, &h) < 0:
        return -1
    timestamp[0] = h.timestamp
    buckets[0] = h.negative.buckets + h.positive.buckets
    if h.bounds > buckets[0]:
        buckets[0] = h.bounds
    return 0 if _is_valid(&h) else 1
