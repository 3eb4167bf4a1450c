"""What a TimeSeries or WriteRequest is made of besides labels and histograms: samples, exemplars, metadata.

Each check reads one message whole: 0 if it may be stored, 1 if a string in it is not UTF-8, -1 if it is malformed.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from wire.canonical cimport LabelPair, read_label
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)
from wire.utf8 cimport is_utf8

cdef inline int check_sample(Cursor c, int64_t* timestamp) noexcept nogil:
    """A field that is missing is 0, and the last of several counts, as protobuf has it."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    timestamp[0] = 0
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &raw) < 0:
                return -1
        elif field == 2:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            timestamp[0] = <int64_t>raw
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0

cdef inline int check_exemplar(Cursor c, int64_t* timestamp) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor label
    cdef LabelPair pair
    cdef int result = 0
    timestamp[0] = 0
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if wire_type != WIRE_BYTES or read_bytes(&c, &label) < 0 or read_label(label, &pair) < 0:
                return -1
            if not is_utf8(pair.name, pair.name_size) or not is_utf8(pair.value, pair.value_size):
                result = 1
        elif field == 2:
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &raw) < 0:
                return -1
        elif field == 3:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            timestamp[0] = <int64_t>raw
        elif skip_field(&c, wire_type) < 0:
            return -1
    return result

cdef inline int check_metadata(Cursor c, Cursor* family) noexcept nogil:
    """`family` becomes the metric family's name, which may be empty."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor text
    cdef int result = 0
    family.p = c.p
    family.end = c.p
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
        elif field == 2 or field == 4 or field == 5:
            if wire_type != WIRE_BYTES or read_bytes(&c, &text) < 0:
                return -1
            if not is_utf8(text.p, text.end - text.p):
                result = 1
            if field == 2:
                family[0] = text
        elif skip_field(&c, wire_type) < 0:
            return -1
    return result
