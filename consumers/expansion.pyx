"""Labelled entries and metadata are copied, series that are named by hash get their labels back, in the same order."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from consumers.record cimport Entry, HASH_SIZE
from consumers.series_table cimport labels_length
from consumers.window cimport Sample
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field, varint_size, write_varint

cdef enum:
    SERIES_TAG = 0x0A         # WriteRequest field 1
    SAMPLE_TAG = 0x12         # TimeSeries field 2
    VALUE_TAG = 0x09
    TIME_TAG = 0x10
    ROW_ROOM = 64             # tags, lengths and a sample of a series that was a row


cdef size_t expansion_bound(const Record* r, size_t size) noexcept nogil:
    cdef size_t need = size
    cdef uint32_t i
    for i in range(r.labelled, r.entries_count):
        need += <size_t>labels_length(r.entries[i].series.labels) + ROW_ROOM
    return need


cdef inline uint8_t* _begin(uint8_t* out, const Entry* entry, size_t rest) noexcept nogil:
    """Tag, length and labels of a series that has `rest` bytes behind them."""
    cdef uint32_t size = labels_length(entry.series.labels)
    out[0] = SERIES_TAG
    out = write_varint(out + 1, size + rest)
    memcpy(out, entry.series.labels, size)
    return out + size


cdef inline uint8_t* _write_row(uint8_t* out, const Entry* entry, const Sample* sample) noexcept nogil:
    cdef uint32_t size = 10 + varint_size(<uint64_t>sample.t)
    out = _begin(out, entry, 2 + size)
    out[0] = SAMPLE_TAG
    out[1] = <uint8_t>size
    out[2] = VALUE_TAG
    memcpy(out + 3, &sample.bits, 8)
    out[11] = TIME_TAG
    return write_varint(out + 12, <uint64_t>sample.t)


cdef uint8_t* write_expansion(const Record* r, const uint8_t* data, size_t size, uint8_t* out) noexcept nogil:
    cdef Cursor c, inner
    cdef const uint8_t* start
    cdef uint32_t field, wire_type
    cdef uint32_t at = r.labelled
    c.p = data
    c.end = data + size
    while c.p < c.end:
        start = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return out  # cannot be: it was parsed
        if wire_type != WIRE_BYTES:
            skip_field(&c, wire_type)
            continue
        read_bytes(&c, &inner)
        if field == 1 or field == 3:
            memcpy(out, start, c.p - start)
            out += c.p - start
        elif field == 6:
            inner.p += 2 + HASH_SIZE
            out = _begin(out, &r.entries[at], inner.end - inner.p)
            memcpy(out, inner.p, inner.end - inner.p)
            out += inner.end - inner.p
            at += 1
        elif field == 7:
            while at < r.entries_count:
                out = _write_row(out, &r.entries[at], &r.samples[r.entries[at].first])
                at += 1
    return out
