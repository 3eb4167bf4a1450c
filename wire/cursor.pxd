"""The bounds-checked cursor: every read of untrusted bytes in a kernel goes through it.

A cursor is two pointers. Each function returns 0 and moves on, or -1 and leaves the cursor where it was; no function
reads at or behind `end`. Source of the format: protobuf encoding, as in docs/formats.md.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef struct Cursor:
    const uint8_t* p
    const uint8_t* end

cdef enum:
    WIRE_VARINT = 0
    WIRE_FIXED64 = 1
    WIRE_BYTES = 2
    WIRE_FIXED32 = 5

cdef inline int read_varint(Cursor* c, uint64_t* out) noexcept nogil:
    """LEB128, at most ten bytes; the tenth may only hold one bit, as protobuf's own decoders have it."""
    cdef const uint8_t* p = c.p
    cdef uint64_t value = 0
    cdef uint32_t shift = 0
    cdef uint8_t byte
    if p < c.end and p[0] < 0x80:
        out[0] = p[0]
        c.p = p + 1
        return 0
    while p < c.end and shift < 70:
        byte = p[0]
        p += 1
        if shift == 63 and byte > 1:
            return -1
        value |= <uint64_t>(byte & 0x7F) << shift
        if byte < 0x80:
            out[0] = value
            c.p = p
            return 0
        shift += 7
    return -1

cdef inline int read_tag(Cursor* c, uint32_t* field, uint32_t* wire_type) noexcept nogil:
    """A field number and its wire type; field 0 and numbers beyond 29 bits are malformed."""
    cdef uint64_t tag
    cdef const uint8_t* start = c.p
    if read_varint(c, &tag) < 0:
        return -1
    if tag > 0xFFFFFFFFu or (tag >> 3) == 0:
        c.p = start
        return -1
    field[0] = <uint32_t>(tag >> 3)
    wire_type[0] = <uint32_t>(tag & 7)
    return 0

cdef inline int read_bytes(Cursor* c, Cursor* out) noexcept nogil:
    """A length-delimited field's payload, as a cursor over it."""
    cdef uint64_t n
    cdef const uint8_t* start = c.p
    if read_varint(c, &n) < 0:
        return -1
    if n > <uint64_t>(c.end - c.p):
        c.p = start
        return -1
    out.p = c.p
    out.end = c.p + n
    c.p += n
    return 0

cdef inline int read_fixed64(Cursor* c, uint64_t* out) noexcept nogil:
    if c.end - c.p < 8:
        return -1
    memcpy(out, c.p, 8)  # little endian on the wire, as on every machine this builds for
    c.p += 8
    return 0

cdef inline int skip_field(Cursor* c, uint32_t wire_type) noexcept nogil:
    """Past one unknown field. Groups (3, 4) are refused: no Prometheus message ever had one."""
    cdef uint64_t ignored
    cdef Cursor inner
    if wire_type == WIRE_VARINT:
        return read_varint(c, &ignored)
    if wire_type == WIRE_FIXED64:
        return read_fixed64(c, &ignored)
    if wire_type == WIRE_BYTES:
        return read_bytes(c, &inner)
    if wire_type == WIRE_FIXED32 and c.end - c.p >= 4:
        c.p += 4
        return 0
    return -1

cdef inline uint32_t varint_size(uint64_t value) noexcept nogil:
    cdef uint32_t n = 1
    while value >= 0x80:
        value >>= 7
        n += 1
    return n

cdef inline uint8_t* write_varint(uint8_t* p, uint64_t value) noexcept nogil:
    """Writes `value` at `p`, which must have room for ten bytes; returns the end."""
    while value >= 0x80:
        p[0] = <uint8_t>(value | 0x80)
        p += 1
        value >>= 7
    p[0] = <uint8_t>value
    return p + 1
