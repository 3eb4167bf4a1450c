"""The walk over one record of either version. Source of the format: docs/formats.md, "record"."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from consumers.columns cimport gather_values, read_times
from consumers.histogram_wire cimport HISTOGRAM_NO_MEMORY, HISTOGRAM_OK, histogram_free, histogram_read
from consumers.label_hash cimport HashKey, label_hash
from consumers.window cimport Sample
from tsdb.histogram cimport Histogram
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)

cdef uint64_t LABEL_WINDOW_LIMIT = <uint64_t>1 << 60

cdef enum:
    LABEL_TAG = 0x0A      # TimeSeries field 1
    SAMPLE_VALUE_TAG = 0x09
    SAMPLE_TIME_TAG = 0x10
    HASH_TAG = 0x7A       # TimeSeries field 15, of version 2
    ROW_SIZE = 25         # of a row, at least: hash, one byte of time, value


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


cdef inline int _read_elements(Record* r, Cursor c, Entry* entry) noexcept nogil:
    """What stands behind labels or hash, in any order."""
    cdef Cursor inner
    cdef uint32_t field, wire_type
    cdef Sample* sample
    cdef int status
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


cdef inline int _read_entry(Record* r, Cursor c, const HashKey* key) noexcept nogil:
    """One TimeSeries: label fields first and in one run, then the rest."""
    cdef Cursor labels = c
    cdef Cursor inner
    cdef Entry* entry = _new_entry(r)
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
    return _read_elements(r, c, entry)


cdef inline int _read_hashed(Record* r, Cursor c) noexcept nogil:
    """One TimeSeries with a hash in place of its labels."""
    cdef Entry* entry
    if c.end - c.p < 2 + HASH_SIZE or c.p[0] != HASH_TAG or c.p[1] != HASH_SIZE:
        return RECORD_MALFORMED
    entry = _new_entry(r)
    if entry == NULL:
        return RECORD_NO_MEMORY
    entry.labels = c.p + 2
    entry.size = HASH_SIZE
    c.p += 2 + HASH_SIZE
    return _read_elements(r, c, entry)


cdef int _read_rows(Record* r, Cursor c) noexcept nogil:
    """Series with one float each, in columns: what they are is known at once, so is the room that they take."""
    cdef uint64_t n
    cdef uint32_t count, i
    cdef Entry* entries
    cdef Sample* samples
    cdef const uint8_t* hashes
    if read_varint(&c, &n) < 0 or n == 0 or n > <uint64_t>(c.end - c.p) // ROW_SIZE:
        return RECORD_ROWS
    count = <uint32_t>n
    hashes = c.p
    c.p += n * HASH_SIZE
    if r.entries_capacity - r.entries_count < count:
        entries = <Entry*>realloc(r.entries, (<size_t>r.entries_count + count) * sizeof(Entry))
        if entries == NULL:
            return RECORD_NO_MEMORY
        r.entries = entries
        r.entries_capacity = r.entries_count + count
    if r.samples_capacity - r.samples_count < count:
        samples = <Sample*>realloc(r.samples, (<size_t>r.samples_count + count) * sizeof(Sample))
        if samples == NULL:
            return RECORD_NO_MEMORY
        r.samples = samples
        r.samples_capacity = r.samples_count + count
    entries = r.entries + r.entries_count
    samples = r.samples + r.samples_count
    if read_times(&c, samples, count) < 0 or <size_t>(c.end - c.p) != 8 * <size_t>count:
        return RECORD_ROWS
    gather_values(c.p, samples, count)
    for i in range(count):
        entries[i] = Entry(hashes + <size_t>i * HASH_SIZE, NULL, HASH_SIZE, 0, r.samples_count + i, 1)
    r.entries_count += count
    r.samples_count += count
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


cdef inline int _place(uint32_t field) noexcept nogil:
    """Where a field of version 2 stands among the others; 0 for one that is unknown."""
    if field == 1 or field == 3:
        return 1
    return <int>field - 3 if 5 <= field <= 7 else 0


cdef int record_parse_v2(Record* r, const uint8_t* data, size_t size, const HashKey* key) noexcept nogil:
    cdef Cursor c, inner
    cdef uint32_t field, wire_type
    cdef uint64_t window
    cdef int last = 1
    cdef int place, status
    c.p = data
    c.end = data + size
    r.at = data
    if size > 0x7FFFFFFF:
        return RECORD_MALFORMED
    while c.p < c.end:
        r.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return RECORD_MALFORMED
        place = _place(field)
        if place == 0:
            if skip_field(&c, wire_type) < 0:
                return RECORD_MALFORMED
            continue
        if place < last or (place == last and (field == 5 or field == 7)):
            return RECORD_FIELDS_UNORDERED
        last = place
        if field == 5:
            if wire_type != WIRE_VARINT or read_varint(&c, &window) < 0 or not 0 < window < LABEL_WINDOW_LIMIT:
                return RECORD_MALFORMED
            r.label_window = <int64_t>window
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
            return RECORD_MALFORMED
        if field > 5 and r.label_window == 0:
            return RECORD_FIELDS_UNORDERED
        if field == 3:
            r.metadata += 1
            continue
        if field == 1:
            status = _read_entry(r, inner, key)
            r.labelled = r.entries_count
        elif field == 6:
            status = _read_hashed(r, inner)
        else:
            status = _read_rows(r, inner)
        if status != RECORD_OK:
            return status
    return RECORD_OK
