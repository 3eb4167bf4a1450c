"""The encoder of native histograms; its contract stands in histogram.pxd."""

from libc.math cimport round as nearest
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from tsdb.bits cimport BIT_SLACK, put_bits
from tsdb.bucket_walk cimport BucketWalk, bucket_decreased, less_count, walk_begin, walk_next
from tsdb.histogram_layout cimport (
    Ranges,
    ranges_clear,
    ranges_cover,
    ranges_free,
    ranges_union,
)
from tsdb.varbit cimport VARBIT_MAX_BITS, put_varbit_int, put_varbit_uint
from tsdb.xor cimport SAMPLES_PER_CHUNK, XOR_UNSET, put_xor_value

cdef enum:
    ENCODING_HISTOGRAM = 2
    ENCODING_FLOAT_HISTOGRAM = 3
    HEADER_BYTES = 3
    TARGET_BYTES = 1024
    TARGET_SAMPLES = 10      # a chunk has at least as many before TARGET_BYTES ends it
    HARD_BYTES = 2048
    FIELD_MAX_BITS = 77      # of one field of one sample: an xor-value with a new window

    HEADER_UNKNOWN = 0x00
    HEADER_RESET = 0x80
    HEADER_GAUGE = 0xC0
    JOINS = 0xFF             # not a header: the sample goes on in the chunk of the one before

cdef struct Field:
    # What one field of the sample before leaves behind: integers use delta, floats the window.
    uint64_t value
    int64_t delta
    uint8_t lead
    uint8_t trail

cdef struct Encoder:
    uint8_t* data
    size_t capacity
    uint32_t nbits
    uint32_t samples
    bint is_float
    Ranges sides[2]
    Ranges wider[2]          # spare, for the union
    Field time
    Field count
    Field zero_count
    Field sum
    Field* buckets
    size_t bucket_capacity


cdef int encode_histograms(const Histogram* sorted, uint32_t n, ChunkList* out) noexcept nogil:
    cdef Encoder e
    cdef int status
    memset(&e, 0, sizeof(e))
    status = _encode(&e, sorted, n, out)
    ranges_free(&e.sides[0])
    ranges_free(&e.sides[1])
    ranges_free(&e.wider[0])
    ranges_free(&e.wider[1])
    free(e.buckets)
    free(e.data)
    return status


cdef int _encode(Encoder* e, const Histogram* sorted, uint32_t n, ChunkList* out) noexcept nogil:
    cdef uint32_t start = 0
    cdef uint32_t i
    cdef uint8_t seam
    cdef int status
    for i in range(n):
        if not histogram_shape_ok(&sorted[i]):
            return -2
        if i == 0:
            seam = HEADER_RESET if sorted[i].reset_hint == HINT_RESET else JOINS
        else:
            seam = _seam(&sorted[i - 1], &sorted[i])
        if i and seam == JOINS and not _is_full(e):
            status = _fit(e, &sorted[start], i - start)
            if status == 0 and _put_sample(e, &sorted[i]) < 0 or status < 0:
                return -1
            if status == 0:
                continue
        if i and _finish(e, sorted[start].t, sorted[i - 1].t, out) < 0:
            return -1
        start = i
        if seam == JOINS:
            seam = HEADER_GAUGE if sorted[i].reset_hint == HINT_GAUGE else HEADER_UNKNOWN
        if _begin(e, &sorted[i], seam) < 0 or _put_sample(e, &sorted[i]) < 0:
            return -1
    return _finish(e, sorted[start].t, sorted[n - 1].t, out) if n else 0


cdef uint8_t _seam(const Histogram* a, const Histogram* b) noexcept nogil:
    """JOINS where `b` may follow `a` in one chunk, else the header of the chunk that `b` begins."""
    cdef bint gauge = b.reset_hint == HINT_GAUGE
    cdef uint8_t fresh = HEADER_GAUGE if gauge else HEADER_UNKNOWN
    cdef uint8_t reset = HEADER_GAUGE if gauge else HEADER_RESET
    if b.reset_hint == HINT_RESET:
        return HEADER_RESET
    if a.is_float != b.is_float or (a.reset_hint == HINT_GAUGE) != gauge:
        return fresh
    if is_stale(b):
        return JOINS
    if is_stale(a):
        return fresh
    if not gauge and less_count(b.count, a.count, b.is_float):
        return reset
    if a.schema != b.schema or memcmp(&a.zero_threshold, &b.zero_threshold, 8):
        return fresh
    if a.schema == SCHEMA_CUSTOM and (
        a.custom_values != b.custom_values or memcmp(a.custom, b.custom, a.custom_values * sizeof(double))
    ):
        return reset
    if not gauge and (less_count(b.zero_count, a.zero_count, b.is_float) or bucket_decreased(a, b)):
        return reset
    return JOINS


cdef bint _is_full(const Encoder* e) noexcept nogil:
    cdef uint32_t size = (e.nbits + 7) >> 3
    return (
        e.samples >= SAMPLES_PER_CHUNK
        or size >= HARD_BYTES
        or (size >= TARGET_BYTES and e.samples >= TARGET_SAMPLES)
    )


cdef int _fit(Encoder* e, const Histogram* samples, uint32_t n) noexcept nogil:
    """Makes the open chunk, of `n` samples, hold the buckets of samples[n] too, by writing it anew where it must.

    0, or 1 where the sample must not join (a bit for each bucket of each sample is already too much), or -1 where memory
    ran out.
    """
    cdef Ranges swap
    cdef uint8_t header = e.data[2]
    cdef uint32_t i
    cdef int side
    if is_stale(&samples[n]) or (
        ranges_cover(&e.sides[0], &samples[n], False) and ranges_cover(&e.sides[1], &samples[n], True)
    ):
        return 0
    for side in range(2):
        if ranges_union(&e.sides[side], &samples[n], side, &e.wider[side]) < 0:
            return -1
    if (<uint64_t>e.wider[0].buckets + e.wider[1].buckets) * (n + 1) > 8 * HARD_BYTES:
        return 1
    for side in range(2):
        swap = e.sides[side]
        e.sides[side] = e.wider[side]
        e.wider[side] = swap
    if _open(e, &samples[0], header) < 0:
        return -1
    for i in range(n):
        if _put_sample(e, &samples[i]) < 0:
            return -1
    return 0


cdef int _begin(Encoder* e, const Histogram* first, uint8_t header) noexcept nogil:
    """Opens a chunk with the buckets of its first sample."""
    cdef int side
    ranges_clear(&e.wider[0])
    for side in range(2):
        ranges_clear(&e.sides[side])
        if not is_stale(first) and ranges_union(&e.wider[0], first, side, &e.sides[side]) < 0:
            return -1
    return _open(e, first, header)


cdef int _open(Encoder* e, const Histogram* first, uint8_t header) noexcept nogil:
    """Writes header and layout for `e.sides`, and forgets all samples."""
    cdef size_t buckets = <size_t>e.sides[0].buckets + e.sides[1].buckets
    cdef size_t spans = <size_t>e.sides[0].count + e.sides[1].count
    cdef size_t size = HEADER_BYTES + 64 + (2 * spans + first.custom_values) * (VARBIT_MAX_BITS // 8)
    cdef Field* fields
    cdef Field empty
    cdef bint stale = is_stale(first)
    cdef int64_t end
    cdef uint32_t i
    cdef int side
    memset(&empty, 0, sizeof(empty))
    empty.lead = XOR_UNSET
    if buckets > e.bucket_capacity:
        fields = <Field*>realloc(e.buckets, buckets * sizeof(Field))
        if fields == NULL:
            return -1
        e.buckets = fields
        e.bucket_capacity = buckets
    for i in range(<uint32_t>buckets):
        e.buckets[i] = empty
    e.time = e.count = e.zero_count = e.sum = empty
    e.samples = 0
    e.is_float = first.is_float
    if _reserve(e, size) < 0:
        return -1
    e.data[0] = e.data[1] = 0
    e.data[2] = header
    e.nbits = 8 * HEADER_BYTES
    _put_threshold(e, 0.0 if stale else first.zero_threshold)
    e.nbits = put_varbit_int(e.data, e.nbits, 0 if stale else first.schema)
    for side in range(2):
        e.nbits = put_varbit_uint(e.data, e.nbits, e.sides[side].count)
        end = 0
        for i in range(e.sides[side].count):
            e.nbits = put_varbit_uint(
                e.data, e.nbits, <uint64_t>(e.sides[side].items[i].end - e.sides[side].items[i].start)
            )
            e.nbits = put_varbit_int(e.data, e.nbits, e.sides[side].items[i].start - end)
            end = e.sides[side].items[i].end
    if first.schema == SCHEMA_CUSTOM and not stale:
        e.nbits = put_varbit_uint(e.data, e.nbits, first.custom_values)
        for i in range(first.custom_values):
            _put_bound(e, first.custom[i])
    return 0


cdef void _put_threshold(Encoder* e, double threshold) noexcept nogil:
    """One byte for zero and the powers of two from 2^-243 to 2^10, else 255 and the bits."""
    cdef uint64_t bits
    cdef int64_t code
    memcpy(&bits, &threshold, 8)
    code = <int64_t>(bits >> 52) - 1023 + 244
    if bits == 0:
        e.nbits = put_bits(e.data, e.nbits, 0, 8)
    elif bits << 12 == 0 and 1 <= code <= 254:
        e.nbits = put_bits(e.data, e.nbits, <uint64_t>code, 8)
    else:
        e.nbits = put_bits(e.data, e.nbits, 255, 8)
        e.nbits = put_bits(e.data, e.nbits, bits, 64)


cdef void _put_bound(Encoder* e, double bound) noexcept nogil:
    """A varbit of thousandths and one where that is exact, else a zero bit and the bits (-0.0 too: it has a sign)."""
    cdef uint64_t bits
    cdef double thousandths = bound * 1000.0
    memcpy(&bits, &bound, 8)
    if bits >> 63 == 0 and thousandths <= 33554430.0 and nearest(thousandths) / 1000.0 == bound:
        e.nbits = put_varbit_uint(e.data, e.nbits, <uint64_t>nearest(thousandths) + 1)
    else:
        e.nbits = put_bits(e.data, e.nbits, 0, 1)
        e.nbits = put_bits(e.data, e.nbits, bits, 64)


cdef int _put_sample(Encoder* e, const Histogram* h) noexcept nogil:
    """Appends one sample whose buckets `e.sides` cover; -1 where memory ran out."""
    cdef size_t buckets = <size_t>e.sides[0].buckets + e.sides[1].buckets
    cdef size_t fields = buckets + 4
    cdef bint first = e.samples == 0
    cdef bint stale = is_stale(h)
    if _reserve(e, ((e.nbits + 7) >> 3) + (fields * FIELD_MAX_BITS + 7) // 8) < 0:
        return -1
    _put_integer(e, &e.time, <uint64_t>h.t)
    if e.is_float:
        _put_float(e, &e.count, 0 if stale else h.count)
        _put_float(e, &e.zero_count, 0 if stale else h.zero_count)
    elif first:
        _put_unsigned(e, &e.count, 0 if stale else h.count)
        _put_unsigned(e, &e.zero_count, 0 if stale else h.zero_count)
    elif stale:
        e.nbits = put_bits(e.data, e.nbits, 0, 2)
    else:
        _put_integer(e, &e.count, h.count)
        _put_integer(e, &e.zero_count, h.zero_count)
    _put_float(e, &e.sum, h.sum)
    if not stale:
        _put_buckets(e, h)
    e.samples += 1
    return 0


cdef void _put_buckets(Encoder* e, const Histogram* h) noexcept nogil:
    """Every bucket of the layout; those the sample lacks hold nothing."""
    cdef BucketWalk walk
    cdef Field* field = e.buckets
    cdef uint64_t value, previous
    cdef int64_t index
    cdef uint32_t i
    cdef int side
    cdef bint more
    for side in range(2):
        walk_begin(&walk, h, side)
        more = walk_next(&walk)
        previous = 0
        for i in range(e.sides[side].count):
            for index in range(e.sides[side].items[i].start, e.sides[side].items[i].end):
                value = 0
                if more and walk.index == index:
                    value = walk.value
                    more = walk_next(&walk)
                if e.is_float:
                    _put_float(e, field, value)
                else:
                    _put_integer(e, field, value - previous)
                    previous = value
                field += 1


cdef inline void _put_integer(Encoder* e, Field* field, uint64_t value) noexcept nogil:
    """The first sample's value as it is, later ones by delta of delta."""
    cdef int64_t delta = <int64_t>(value - field.value)
    if e.samples == 0:
        e.nbits = put_varbit_int(e.data, e.nbits, <int64_t>value)
    else:
        e.nbits = put_varbit_int(e.data, e.nbits, delta - field.delta)
        field.delta = delta
    field.value = value


cdef inline void _put_unsigned(Encoder* e, Field* field, uint64_t value) noexcept nogil:
    e.nbits = put_varbit_uint(e.data, e.nbits, value)
    field.value = value


cdef inline void _put_float(Encoder* e, Field* field, uint64_t value) noexcept nogil:
    if e.samples == 0:
        e.nbits = put_bits(e.data, e.nbits, value, 64)
    else:
        e.nbits = put_xor_value(e.data, e.nbits, value, field.value, &field.lead, &field.trail)
    field.value = value


cdef int _reserve(Encoder* e, size_t size) noexcept nogil:
    """Room for `size` bytes and what stores touch behind them."""
    cdef uint8_t* data
    size += BIT_SLACK
    if size <= e.capacity:
        return 0
    size += size // 2
    data = <uint8_t*>realloc(e.data, size)
    if data == NULL:
        return -1
    e.data = data
    e.capacity = size
    return 0


cdef int _finish(Encoder* e, int64_t mint, int64_t maxt, ChunkList* out) noexcept nogil:
    e.data[0] = <uint8_t>(e.samples >> 8)
    e.data[1] = <uint8_t>e.samples
    return chunk_list_append(
        out,
        ENCODING_FLOAT_HISTOGRAM if e.is_float else ENCODING_HISTOGRAM,
        mint,
        maxt,
        e.samples,
        e.data,
        (e.nbits + 7) >> 3,
    )
