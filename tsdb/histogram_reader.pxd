"""Reader of histogram chunks (encodings 2 and 3), inline for kernels. Source: docs/formats.md, "histogram chunks".

Memory is bounded by the bytes there are, whatever the counts in them claim; so is the work.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from tsdb.bits cimport BitReader, get_bits
from tsdb.histogram cimport (
    HINT_GAUGE,
    HINT_NOT_RESET,
    HINT_UNKNOWN,
    MAX_BUCKETS,
    MAX_INDEX,
    SCHEMA_CUSTOM,
    Histogram,
    Span,
    histogram_shape_ok,
    is_stale,
)
from tsdb.varbit cimport get_varbit_int, get_varbit_uint
from tsdb.xor cimport XOR_UNSET, get_xor_value

cdef struct ReadField:
    int64_t delta
    uint8_t lead
    uint8_t trail

cdef struct HistogramReader:
    BitReader bits
    Histogram current      # the sample last read; its pointers are valid until the next call
    Histogram layout       # what all samples of the chunk share; its spans, buckets and custom are owned here
    Span* spans
    double* custom
    uint64_t* buckets
    ReadField* fields      # of each bucket
    ReadField time
    ReadField count
    ReadField zero_count
    ReadField sum
    uint32_t samples       # in the chunk
    uint32_t done
    bint gauge

cdef inline void histogram_close(HistogramReader* r) noexcept nogil:
    """Frees all; after `histogram_open`, whatever it returned. May be called twice."""
    free(r.spans)
    free(r.custom)
    free(r.buckets)
    free(r.fields)
    memset(r, 0, sizeof(r[0]))

cdef inline int histogram_open(HistogramReader* r, bint is_float, const uint8_t* data, size_t size) noexcept nogil:
    """Begins to read a chunk that stays in place: 0, -1 where it is damaged, -2 where memory ran out."""
    cdef int status
    memset(r, 0, sizeof(r[0]))
    if size < 3:
        return -1
    r.bits.data = data
    r.bits.position = 24
    r.bits.end = <uint64_t>size * 8
    r.samples = (<uint32_t>data[0] << 8) | data[1]
    r.gauge = data[2] >> 6 == 3
    r.layout.is_float = is_float
    r.count.lead = r.zero_count.lead = r.sum.lead = XOR_UNSET
    if r.samples == 0:
        return 0
    status = _read_layout(r)
    if status == 0 and not histogram_shape_ok(&r.layout):
        return -1
    return status

cdef inline int _read_layout(HistogramReader* r) noexcept nogil:
    cdef int64_t schema
    cdef uint64_t buckets
    cdef uint32_t i
    cdef int status
    if _read_threshold(r) < 0 or get_varbit_int(&r.bits, &schema) < 0 or not -53 <= schema <= 52:
        return -1
    r.layout.schema = <int32_t>schema
    status = _read_spans(r, &r.layout.positive_spans, &r.layout.positive_buckets, 0)
    if status == 0:
        status = _read_spans(
            r, &r.layout.negative_spans, &r.layout.negative_buckets, r.layout.positive_spans
        )
    if status == 0 and schema == SCHEMA_CUSTOM:
        status = _read_bounds(r)
    if status < 0:
        return status
    # Each bucket of the first sample takes at least a bit, in a float histogram 64.
    buckets = <uint64_t>r.layout.positive_buckets + r.layout.negative_buckets
    if buckets * (64 if r.layout.is_float else 1) > r.bits.end - r.bits.position:
        return -1
    if buckets:
        r.buckets = <uint64_t*>calloc(buckets, sizeof(uint64_t))
        r.fields = <ReadField*>calloc(buckets, sizeof(ReadField))
        if r.buckets == NULL or r.fields == NULL:
            return -2
        for i in range(<uint32_t>buckets):
            r.fields[i].lead = XOR_UNSET
    r.layout.spans = r.spans
    r.layout.custom = r.custom
    r.layout.buckets = r.buckets
    return 0

cdef inline int _read_threshold(HistogramReader* r) noexcept nogil:
    cdef uint64_t bits
    if get_bits(&r.bits, 8, &bits) < 0:
        return -1
    if bits == 255:
        if get_bits(&r.bits, 64, &bits) < 0:
            return -1
    elif bits:
        bits = (bits + 1023 - 244) << 52
    memcpy(&r.layout.zero_threshold, &bits, 8)
    return 0

cdef inline int _read_spans(HistogramReader* r, uint32_t* count, uint32_t* buckets, uint32_t before) noexcept nogil:
    """One side's spans, stored behind `before` others, and how many buckets they cover.

    Empty spans go into the offset of the next one: what is kept is no more than the buckets, which samples pay for.
    """
    cdef uint64_t n, length
    cdef int64_t offset
    cdef int64_t gap = 0
    cdef uint64_t covered = 0
    cdef uint32_t kept = 0
    cdef Span* spans
    cdef uint64_t i
    if get_varbit_uint(&r.bits, &n) < 0 or n > (r.bits.end - r.bits.position) // 2:  # two bits each, at least
        return -1
    if n:
        spans = <Span*>realloc(r.spans, (before + n) * sizeof(Span))
        if spans == NULL:
            return -2
        r.spans = spans
    for i in range(n):
        if get_varbit_uint(&r.bits, &length) < 0 or get_varbit_int(&r.bits, &offset) < 0:
            return -1
        if length > MAX_BUCKETS or not -MAX_INDEX <= offset <= 2 * <int64_t>MAX_INDEX or (i and offset < 0):
            return -1
        gap += offset
        if length == 0:
            continue
        covered += length
        if gap > 0x7FFFFFFF or covered > MAX_BUCKETS:
            return -1
        r.spans[before + kept] = Span(<int32_t>gap, <uint32_t>length)
        kept += 1
        gap = 0
    count[0] = kept
    buckets[0] = <uint32_t>covered
    return 0

cdef inline int _read_bounds(HistogramReader* r) noexcept nogil:
    cdef uint64_t n, value
    cdef uint32_t i
    if get_varbit_uint(&r.bits, &n) < 0 or n > MAX_BUCKETS or n > (r.bits.end - r.bits.position) // 5:  # five bits each
        return -1
    if n:
        r.custom = <double*>calloc(n, sizeof(double))
        if r.custom == NULL:
            return -2
    for i in range(<uint32_t>n):
        if get_varbit_uint(&r.bits, &value) < 0:
            return -1
        if value:
            r.custom[i] = <double>(value - 1) / 1000.0
        elif get_bits(&r.bits, 64, &value) < 0:
            return -1
        else:
            memcpy(&r.custom[i], &value, 8)
    r.layout.custom_values = <uint32_t>n
    return 0

cdef inline int histogram_next(HistogramReader* r) noexcept nogil:
    """The next sample into `r.current`: 1, or 0 behind the last one, or -1 where the chunk is damaged."""
    cdef Histogram* h = &r.layout
    cdef uint32_t i
    cdef bint first = r.done == 0
    if r.done == r.samples:
        return 0
    if _read_integer(r, &r.time, <uint64_t*>&h.t) < 0:
        return -1
    if h.is_float:
        if _read_float(r, &r.count, &h.count) < 0 or _read_float(r, &r.zero_count, &h.zero_count) < 0:
            return -1
    elif first:
        if get_varbit_uint(&r.bits, &h.count) < 0 or get_varbit_uint(&r.bits, &h.zero_count) < 0:
            return -1
    elif _read_integer(r, &r.count, &h.count) < 0 or _read_integer(r, &r.zero_count, &h.zero_count) < 0:
        return -1
    if _read_float(r, &r.sum, &h.sum) < 0:
        return -1
    if first or not is_stale(h):
        for i in range(h.positive_buckets + h.negative_buckets):
            if h.is_float:
                if _read_float(r, &r.fields[i], &r.buckets[i]) < 0:
                    return -1
            elif _read_integer(r, &r.fields[i], &r.buckets[i]) < 0:
                return -1
    if is_stale(h):
        memset(&r.current, 0, sizeof(r.current))
        r.current.t = h.t
        r.current.sum = h.sum
        r.current.is_float = h.is_float
    else:
        r.current = h[0]
    r.current.reset_hint = HINT_GAUGE if r.gauge else HINT_UNKNOWN if first else HINT_NOT_RESET
    r.done += 1
    return 1

cdef inline int _read_integer(HistogramReader* r, ReadField* field, uint64_t* value) noexcept nogil:
    cdef int64_t dod
    if get_varbit_int(&r.bits, &dod) < 0:
        return -1
    if r.done == 0:
        value[0] = <uint64_t>dod
        return 0
    field.delta += dod
    value[0] += <uint64_t>field.delta
    return 0

cdef inline int _read_float(HistogramReader* r, ReadField* field, uint64_t* value) noexcept nogil:
    if r.done == 0:
        return get_bits(&r.bits, 64, value)
    return get_xor_value(&r.bits, value, &field.lead, &field.trail)
