"""An exemplar of a remote-write 2.0 request: checked, and written as remote-write 1.0 has it, with its labels in it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from wire.canonical cimport LabelPair, labels_size, write_labels
from wire.cursor cimport (
    Cursor, WIRE_FIXED64, WIRE_VARINT, read_fixed64, read_tag, read_varint, skip_field, write_varint
)
from wire.refusals cimport INVALID_SYMBOLS, INVALID_UTF8
from wire.symbols cimport Symbol, Symbols, is_text, read_references, symbol_pair

cdef struct ExemplarShape:
    uint64_t labels          # bytes of them, once written
    uint64_t value           # its bits
    int64_t timestamp
    uint32_t name            # a reference that waits for its value
    bint half
    bint broken
    bint not_text

cdef inline int _read_labels(const Symbols* s, Cursor packed, ExemplarShape* e, uint8_t** out) noexcept nogil:
    """Counts the bytes of labels, and writes them where there is an `out`, which all of them fit."""
    cdef LabelPair pair
    cdef uint64_t raw
    cdef uint32_t ref
    while packed.p < packed.end:
        if read_varint(&packed, &raw) < 0:
            return -1
        ref = <uint32_t>raw
        if ref >= s.count:
            e.broken = True
            continue
        if not is_text(&s.found[ref]):
            e.not_text = True
        if not e.half:
            e.name = ref
        else:
            pair = symbol_pair(s, &s.found[e.name], &s.found[ref])
            e.labels += labels_size(&pair, 1)
            if out != NULL:
                out[0] = write_labels(out[0], &pair, 1)
        e.half = not e.half
    return 0

cdef inline int _read_exemplar(const Symbols* s, Cursor c, ExemplarShape* e, uint8_t** out) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor packed
    e.labels = 0
    e.value = 0
    e.timestamp = 0
    e.half = False
    e.broken = False
    e.not_text = False
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if read_references(&c, wire_type, &packed) < 0 or _read_labels(s, packed, e, out) < 0:
                return -1
        elif field == 2:
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &e.value) < 0:
                return -1
        elif field == 3:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            e.timestamp = <int64_t>raw
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0

cdef inline int check_exemplar_refs(const Symbols* s, Cursor c, int64_t* timestamp, uint64_t* size) noexcept nogil:
    """0 if it may be stored, a reason, or -1 if it is malformed; its time, and room for what will be written."""
    cdef ExemplarShape e
    if _read_exemplar(s, c, &e, NULL) < 0:
        return -1
    timestamp[0] = e.timestamp
    size[0] = e.labels + 9 + 11
    if e.broken or e.half:
        return INVALID_SYMBOLS
    return INVALID_UTF8 if e.not_text else 0

cdef inline uint8_t* write_exemplar(const Symbols* s, Cursor c, uint8_t* p) noexcept nogil:
    """Of one that was checked; returns the end."""
    cdef ExemplarShape e
    _read_exemplar(s, c, &e, &p)
    if e.value:
        p[0] = 0x11
        memcpy(p + 1, &e.value, 8)
        p += 9
    if e.timestamp:
        p[0] = 0x18
        p = write_varint(p + 1, <uint64_t>e.timestamp)
    return p
