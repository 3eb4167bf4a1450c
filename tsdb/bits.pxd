"""Bit streams, most significant bit first, as chunks are made of them. Source: docs/formats.md, "bit stream".

A writer's buffer belongs to the caller, who keeps at least `BIT_SLACK` bytes free behind `nbits`. A reader never reads
at or behind `end`; it returns -1 there.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    BIT_SLACK = 24  # more than the longest single sample of an XOR chunk (145 bits) needs

cdef inline uint32_t put_bits(uint8_t* data, uint32_t nbits, uint64_t value, uint32_t width) noexcept nogil:
    """Appends the low `width` (0..64) bits of `value` behind `nbits`; returns the new length in bits.

    Bytes behind the end need not be zero: each is written whole when it is first touched.
    """
    cdef uint8_t* p = data + (nbits >> 3)
    cdef uint32_t used = nbits & 7
    cdef uint32_t room
    cdef uint32_t left = width
    if width < 64:
        value &= (<uint64_t>1 << width) - 1
    if used and left:
        room = 8 - used
        if left <= room:
            p[0] |= <uint8_t>(value << (room - left))
            return nbits + width
        p[0] |= <uint8_t>(value >> (left - room))
        left -= room
        p += 1
    while left >= 8:
        left -= 8
        p[0] = <uint8_t>(value >> left)
        p += 1
    if left:
        p[0] = <uint8_t>(value << (8 - left))
    return nbits + width

cdef struct BitReader:
    const uint8_t* data
    uint64_t position  # in bits
    uint64_t end       # in bits

cdef inline int get_bits(BitReader* r, uint32_t width, uint64_t* out) noexcept nogil:
    """Reads `width` (0..64) bits; -1 where fewer are left."""
    cdef uint64_t value = 0
    cdef uint64_t position = r.position
    cdef uint32_t left = width
    cdef uint32_t used, take
    if r.end - position < width:
        return -1
    while left:
        used = <uint32_t>(position & 7)
        take = 8 - used
        if take > left:
            take = left
        value = (value << take) | ((r.data[position >> 3] >> (8 - used - take)) & ((1 << take) - 1))
        position += take
        left -= take
    r.position = position
    out[0] = value
    return 0
