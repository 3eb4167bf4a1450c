"""The walk over one record. Source of the format: docs/formats.md, "record"."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from consumers.histogram_wire cimport HISTOGRAM_NO_MEMORY, HISTOGRAM_OK, histogram_free, histogram_read
from consumers.label_hash cimport HashKey, label_hash
from consumers.window cimport Sample
from tsdb.histogram cimport Histogram
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)

cdef enum:
    LABEL_TAG = 0x0A      # TimeSeries field 1
    SAMPLE_VALUE_TAG = 0x09
    SAMPLE_TIME_TAG = 0x10


cdef void record_free(Record* r) noexcept nogil:
    free(r.entries)
    free(r.samples)
    memset(r, 0, sizeof(Record))


cdef inline Entry* _new_entry(Record* r) noexcept nogil:
    cdef uint32_t capacity
    cdef Entry* entries
    if r.entries_count == r.entries_capacity:
        capacity = 2 * r.entries_capacity if r.entries_capacity else 512
        entries = <Entry*>realloc(r.entries, <size_t>capacity * sizeof(Entry))
        if entries == NULL:
            return NULL
        r.entries = entries
        r.entries_capacity = capacity
    r.entries_count += 1
    return &r.entries[r.entries_count - 1]


cdef inline Sample* _new_sample(Record* r) noexcept nogil:
    cdef uint32_t capacity
    cdef Sample* samples
    if r.samples_count == r.samples_capacity:
        capacity = 2 * r.samples_capacity if r.samples_capacity else 512
        samples = <Sample*>realloc(r.samples, <size_t>capacity * sizeof(Sample))
        if samples == NULL:
            return NULL
        r.samples = samples
        r.samples_capacity = capacity
    r.samples_count += 1
    return &r.samples[r.samples_count - 1]


cdef inline int _read_float(Cursor c, Sample* out) noexcept nogil:
    """One Sample message; as protobuf has it, what is missing is zero and the last of a field wins."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    out.t = 0
    out.bits = 0
    out.histogram = NULL
    out.size = 0
    if c.end - c.p > 10 and c.p[0] == SAMPLE_VALUE_TAG and c.p[9] == SAMPLE_TIME_TAG:  # as everyone writes it
        memcpy(&out.bits, c.p + 1, 8)
        c.p += 10
        if read_varint(&c, &raw) < 0:
            return -1
        out.t = <int64_t>raw
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &out.bits) < 0:
                return -1
        elif field == 2:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            out.t = <int64_t>raw
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0


cdef int _read_histogram(Record* r, Cursor c, Sample* out) noexcept nogil:
    """Decodes it whole to see that it can be stored; what is kept is its bytes."""
    cdef Histogram h
    cdef int status
    if c.end - c.p > 0x7FFFFFFF:
        return RECORD_HISTOGRAM
    out.size = <uint32_t>(c.end - c.p)
    status = histogram_read(c.p, out.size, &h)
    if status != HISTOGRAM_OK:
        return RECORD_NO_MEMORY if status == HISTOGRAM_NO_MEMORY else RECORD_HISTOGRAM
    out.t = h.t
    out.bits = 0
    out.histogram = c.p
    histogram_free(&h)
    r.histogram_bytes += <uint64_t>out.size + 8
    return RECORD_OK


cdef inline int _read_entry(Record* r, Cursor c, const HashKey* key) noexcept nogil:
    """One TimeSeries: label fields first and in one run, then the rest in any order."""
    cdef Cursor labels = c
    cdef Cursor inner
    cdef uint32_t field, wire_type
    cdef Entry* entry = _new_entry(r)
    cdef Sample* sample
    cdef int status
    if entry == NULL:
        return RECORD_NO_MEMORY
    while c.p < c.end and c.p[0] == LABEL_TAG:
        c.p += 1
        if read_bytes(&c, &inner) < 0:
            return RECORD_MALFORMED
    if c.p - labels.p > 0x7FFFFFFF:
        return RECORD_MALFORMED
    entry.labels = labels.p
    entry.size = <uint32_t>(c.p - labels.p)
    entry.tag = <uint32_t>label_hash(labels.p, entry.size, key)
    entry.series = NULL
    entry.first = r.samples_count
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return RECORD_MALFORMED
        if field > 4:
            if skip_field(&c, wire_type) < 0:
                return RECORD_MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
            return RECORD_MALFORMED
        if field == 1:
            return RECORD_LABELS_SCATTERED
        if field == 3:
            r.exemplars += 1
            continue
        sample = _new_sample(r)
        if sample == NULL:
            return RECORD_NO_MEMORY
        if field == 2:
            if _read_float(inner, sample) < 0:
                return RECORD_MALFORMED
            continue
        status = _read_histogram(r, inner, sample)
        if status != RECORD_OK:
            return status
    entry.samples = r.samples_count - entry.first
    return RECORD_OK


cdef int record_parse(Record* r, const uint8_t* data, size_t size, const HashKey* key) noexcept nogil:
    cdef Cursor c, inner
    cdef uint32_t field, wire_type
    cdef int status
    c.p = data
    c.end = data + size
    r.at = data
    if size > 0x7FFFFFFF:  # counts of what it holds stay within 32 bits
        return RECORD_MALFORMED
    while c.p < c.end:
        r.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return RECORD_MALFORMED
        if field != 1 and field != 3:
            if skip_field(&c, wire_type) < 0:
                return RECORD_MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
            return RECORD_MALFORMED
        if field == 3:
            r.metadata += 1
            continue
        status = _read_entry(r, inner, key)
        if status != RECORD_OK:
            return status
    return RECORD_OK
