"""Integers of the index and segment files. Source: docs/formats.md, "Primitive encodings".

Writers need room for ten bytes; readers never read at or behind `end` and return NULL where a value is cut short or
does not fit 64 bits.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef inline uint8_t* put_uvarint(uint8_t* out, uint64_t value) noexcept nogil:
    """Writes LEB128; returns the place behind it."""
    while value >= 0x80:
        out[0] = <uint8_t>(value | 0x80)
        out += 1
        value >>= 7
    out[0] = <uint8_t>value
    return out + 1

cdef inline uint8_t* put_varint(uint8_t* out, int64_t value) noexcept nogil:
    """Writes zig-zag LEB128; returns the place behind it."""
    return put_uvarint(out, (<uint64_t>value << 1) ^ <uint64_t>(value >> 63))

cdef inline uint32_t uvarint_size(uint64_t value) noexcept nogil:
    cdef uint32_t size = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size

cdef inline uint8_t* put_be32(uint8_t* out, uint32_t value) noexcept nogil:
    out[0] = <uint8_t>(value >> 24)
    out[1] = <uint8_t>(value >> 16)
    out[2] = <uint8_t>(value >> 8)
    out[3] = <uint8_t>value
    return out + 4

cdef inline uint8_t* put_be64(uint8_t* out, uint64_t value) noexcept nogil:
    return put_be32(put_be32(out, <uint32_t>(value >> 32)), <uint32_t>value)

cdef inline uint32_t be32(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]

cdef inline const uint8_t* get_uvarint(const uint8_t* p, const uint8_t* end, uint64_t* out) noexcept nogil:
    """Reads LEB128; returns the place behind it."""
    cdef uint64_t value = 0
    cdef uint32_t shift = 0
    while p < end and shift < 64:
        value |= <uint64_t>(p[0] & 0x7F) << shift
        if p[0] < 0x80:
            if shift == 63 and p[0] > 1:
                return NULL
            out[0] = value
            return p + 1
        p += 1
        shift += 7
    return NULL

cdef inline const uint8_t* get_varint(const uint8_t* p, const uint8_t* end, int64_t* out) noexcept nogil:
    """Reads zig-zag LEB128; returns the place behind it."""
    cdef uint64_t raw
    p = get_uvarint(p, end, &raw)
    if p != NULL:
        out[0] = <int64_t>(raw >> 1) ^ -<int64_t>(raw & 1)
    return p
