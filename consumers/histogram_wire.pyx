"""Walks a Histogram message twice: once to count, once to fill. Source: docs/formats.md, "record"."""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from tsdb.bucket_walk cimport BucketWalk, walk_begin, walk_next
from tsdb.histogram cimport HINT_GAUGE, Histogram, SCHEMA_CUSTOM, Span, histogram_shape_ok
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)

cdef enum:
    SCHEMA_MIN = -9       # what readers of chunks know
    SCHEMA_MAX = 52
    COUNT_INT = 1         # field numbers of the message
    COUNT_FLOAT = 2
    SUM = 3
    SCHEMA = 4
    ZERO_THRESHOLD = 5
    ZERO_COUNT_INT = 6
    ZERO_COUNT_FLOAT = 7
    NEGATIVE_SPANS = 8
    NEGATIVE_DELTAS = 9
    NEGATIVE_COUNTS = 10
    POSITIVE_SPANS = 11
    POSITIVE_DELTAS = 12
    POSITIVE_COUNTS = 13
    RESET_HINT = 14
    TIMESTAMP = 15
    CUSTOM_VALUES = 16

cdef uint64_t STALE_BITS = <uint64_t>0x7FF0000000000002ULL  # in the sum: the marker, not a number

cdef struct Side:
    uint32_t spans
    uint32_t deltas
    uint32_t counts
    Span* span_at          # NULL while counting; then where to write
    uint64_t* delta_at     # NULL unless the histogram is an integer one
    uint64_t* count_at     # NULL unless it is a float one

cdef struct Message:
    Histogram fields
    bint zero_is_float
    Side positive
    Side negative
    uint32_t custom
    double* custom_at


cdef inline uint64_t _unzigzag(uint64_t raw) noexcept nogil:
    return (raw >> 1) ^ (0 - (raw & 1))


cdef inline int _read_span(Cursor c, Side* side) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Span span = Span(0, 0)
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field > 2:
            if skip_field(&c, wire_type) < 0:
                return -1
            continue
        if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
            return -1
        if field == 1:
            span.offset = <int32_t>_unzigzag(raw & 0xFFFFFFFFu)
        else:
            span.length = <uint32_t>raw
    if side.span_at != NULL:
        side.span_at[side.spans] = span
    side.spans += 1
    return 0


cdef inline int _read_deltas(Cursor* c, uint32_t wire_type, Side* side) noexcept nogil:
    """Packed, or one by one."""
    cdef Cursor packed
    cdef uint64_t raw
    if wire_type == WIRE_VARINT:
        if read_varint(c, &raw) < 0:
            return -1
        if side.delta_at != NULL:
            side.delta_at[side.deltas] = _unzigzag(raw)
        side.deltas += 1
        return 0
    if wire_type != WIRE_BYTES or read_bytes(c, &packed) < 0:
        return -1
    while packed.p < packed.end:
        if _read_deltas(&packed, WIRE_VARINT, side) < 0:
            return -1
    return 0


cdef inline int _read_doubles(Cursor* c, uint32_t wire_type, void* at, uint32_t* count) noexcept nogil:
    """Packed, or one by one; their bits, unless `at` is NULL."""
    cdef Cursor run
    cdef uint64_t bits
    if wire_type == WIRE_FIXED64:
        if read_fixed64(c, &bits) < 0:
            return -1
        if at != NULL:
            memcpy(<uint8_t*>at + 8 * <size_t>count[0], &bits, 8)
        count[0] += 1
        return 0
    if wire_type != WIRE_BYTES or read_bytes(c, &run) < 0 or (run.end - run.p) & 7:
        return -1
    if at != NULL:
        memcpy(<uint8_t*>at + 8 * <size_t>count[0], run.p, run.end - run.p)
    count[0] += <uint32_t>((run.end - run.p) >> 3)
    return 0


cdef int _read_varint_field(Message* m, uint32_t field, uint64_t raw) noexcept nogil:
    if field == COUNT_INT:
        m.fields.count = raw
        m.fields.is_float = 0
    elif field == SCHEMA:
        m.fields.schema = <int32_t>_unzigzag(raw & 0xFFFFFFFFu)
    elif field == ZERO_COUNT_INT:
        m.fields.zero_count = raw
        m.zero_is_float = False
    elif field == RESET_HINT:
        m.fields.reset_hint = <uint8_t>(raw if raw <= 3 else 0)
    else:
        m.fields.t = <int64_t>raw
    return 0


cdef int _read_fixed_field(Message* m, uint32_t field, uint64_t bits) noexcept nogil:
    if field == COUNT_FLOAT:
        m.fields.count = bits
        m.fields.is_float = 1
    elif field == SUM:
        m.fields.sum = bits
    elif field == ZERO_THRESHOLD:
        memcpy(&m.fields.zero_threshold, &bits, 8)
    else:
        m.fields.zero_count = bits
        m.zero_is_float = True
    return 0


cdef int _walk(Message* m, Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor inner
    cdef Side* side
    m.positive.spans = m.positive.deltas = m.positive.counts = 0
    m.negative.spans = m.negative.deltas = m.negative.counts = 0
    m.custom = 0
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        side = &m.negative if field <= NEGATIVE_COUNTS else &m.positive
        if field in (COUNT_INT, SCHEMA, ZERO_COUNT_INT, RESET_HINT, TIMESTAMP):
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            _read_varint_field(m, field, raw)
        elif field in (COUNT_FLOAT, SUM, ZERO_THRESHOLD, ZERO_COUNT_FLOAT):
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &raw) < 0:
                return -1
            _read_fixed_field(m, field, raw)
        elif field in (NEGATIVE_SPANS, POSITIVE_SPANS):
            if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0 or _read_span(inner, side) < 0:
                return -1
        elif field in (NEGATIVE_DELTAS, POSITIVE_DELTAS):
            if _read_deltas(&c, wire_type, side) < 0:
                return -1
        elif field in (NEGATIVE_COUNTS, POSITIVE_COUNTS):
            if _read_doubles(&c, wire_type, side.count_at, &side.counts) < 0:
                return -1
        elif field == CUSTOM_VALUES:
            if _read_doubles(&c, wire_type, m.custom_at, &m.custom) < 0:
                return -1
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0


cdef bint _custom_ok(const Histogram* h) noexcept nogil:
    """Bounds finite and ascending, buckets within them, nothing on the negative side or in the zero bucket."""
    cdef uint32_t i
    cdef int64_t index = 0
    for i in range(h.custom_values):
        if not isfinite(h.custom[i]) or (i and h.custom[i] <= h.custom[i - 1]):
            return False
    for i in range(h.positive_spans):
        if h.spans[i].offset < 0:
            return False
        index += <int64_t>h.spans[i].offset + h.spans[i].length
    return (
        index <= <int64_t>h.custom_values + 1
        and h.negative_spans == 0
        and h.zero_count == 0
        and h.zero_threshold == 0
    )


cdef int histogram_read(const uint8_t* data, uint32_t size, Histogram* out) noexcept nogil:
    cdef Message m
    cdef Cursor c
    cdef uint64_t spans, buckets
    cdef uint8_t* memory
    cdef bint is_float
    memset(&m, 0, sizeof(Message))
    c.p = data
    c.end = data + size
    if _walk(&m, c) < 0:
        return HISTOGRAM_INVALID
    is_float = m.fields.is_float
    if m.zero_is_float != is_float:
        m.fields.zero_count = 0  # as a reader of the oneof sees it
    m.fields.positive_spans = m.positive.spans
    m.fields.negative_spans = m.negative.spans
    m.fields.positive_buckets = m.positive.counts if is_float else m.positive.deltas
    m.fields.negative_buckets = m.negative.counts if is_float else m.negative.deltas
    m.fields.custom_values = m.custom if m.fields.schema == SCHEMA_CUSTOM else 0
    spans = <uint64_t>m.positive.spans + m.negative.spans
    buckets = <uint64_t>m.fields.positive_buckets + m.fields.negative_buckets
    memory = <uint8_t*>malloc(spans * sizeof(Span) + (buckets + m.custom + 1) * 8)
    if memory == NULL:
        return HISTOGRAM_NO_MEMORY
    out[0] = m.fields
    out.spans = <Span*>memory
    out.buckets = <uint64_t*>(memory + spans * sizeof(Span))
    out.custom = <double*>(out.buckets + buckets)
    m.positive.span_at = <Span*>out.spans
    m.negative.span_at = <Span*>out.spans + m.positive.spans
    if is_float:
        m.positive.count_at = <uint64_t*>out.buckets
        m.negative.count_at = <uint64_t*>out.buckets + out.positive_buckets
    else:
        m.positive.delta_at = <uint64_t*>out.buckets
        m.negative.delta_at = <uint64_t*>out.buckets + out.positive_buckets
    m.custom_at = <double*>out.custom
    _walk(&m, c)  # it went well the first time
    if (
        not histogram_shape_ok(out)
        or not (SCHEMA_MIN <= out.schema <= SCHEMA_MAX or out.schema == SCHEMA_CUSTOM)
        or (out.schema == SCHEMA_CUSTOM and not _custom_ok(out))
    ):
        histogram_free(out)
        return HISTOGRAM_INVALID
    return HISTOGRAM_OK


cdef void histogram_free(Histogram* h) noexcept nogil:
    free(<void*>h.spans)
    h.spans = NULL


cdef bint _next_used(BucketWalk* w) noexcept nogil:
    """The next bucket that holds anything."""
    while walk_next(w):
        if w.value:
            return True
    return False


cdef bint _same_side(const Histogram* a, const Histogram* b, bint negative) noexcept nogil:
    cdef BucketWalk left, right
    cdef bint more
    walk_begin(&left, a, negative)
    walk_begin(&right, b, negative)
    while True:
        more = _next_used(&left)
        if more != _next_used(&right):
            return False
        if not more:
            return True
        if left.index != right.index or left.value != right.value:
            return False


cdef bint histogram_same(const Histogram* a, const Histogram* b) noexcept nogil:
    if a.is_float != b.is_float:
        return False
    if a.sum == STALE_BITS or b.sum == STALE_BITS:
        return a.sum == b.sum
    return (
        a.schema == b.schema
        and a.count == b.count
        and a.zero_count == b.zero_count
        and a.sum == b.sum
        and a.zero_threshold == b.zero_threshold
        and (a.reset_hint == HINT_GAUGE) == (b.reset_hint == HINT_GAUGE)
        and a.custom_values == b.custom_values
        and memcmp(a.custom, b.custom, <size_t>a.custom_values * 8) == 0
        and _same_side(a, b, False)
        and _same_side(a, b, True)
    )
