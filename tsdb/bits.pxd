"""Bit streams, most significant bit first, as chunks are made of them. Source: docs/formats.md, "bit stream".

Words are moved whole, so a writer touches up to nine bytes from the one that holds bit `nbits`; its buffer belongs to
the caller, who keeps `BIT_SLACK` bytes there. A reader never reads at or behind `end`; it returns -1 there.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    BIT_SLACK = 24  # what one whole sample of an XOR chunk may touch from data[nbits >> 3] on (20 bytes), and some more

cdef extern from * nogil:
    uint64_t __builtin_bswap64(uint64_t)

cdef inline uint32_t put_bits(uint8_t* data, uint32_t nbits, uint64_t value, uint32_t width) noexcept nogil:
    """Appends the low `width` (0..64) bits of `value` behind `nbits`; returns the new length in bits.

    Bytes behind the end need not be zero before, and are overwritten: up to eight more than the bits need.
    """
    cdef uint8_t* p = data + (nbits >> 3)
    cdef uint32_t used = nbits & 7
    cdef uint64_t aligned, word
    if width == 0:
        return nbits
    aligned = value << (64 - width)
    word = (<uint64_t>(p[0] & (0xFF00 >> used)) << 56) | (aligned >> used)
    word = __builtin_bswap64(word)  # little endian, as every machine this builds for
    memcpy(p, &word, 8)
    if used + width > 64:
        p[8] = <uint8_t>(aligned << (8 - used))
    return nbits + width

cdef struct BitReader:
    const uint8_t* data
    uint64_t position  # in bits
    uint64_t end       # in bits, a multiple of eight; position never passes it

cdef inline uint64_t peek_bits(const BitReader* r) noexcept nogil:
    """The next 57 bits or more, at the top of the word; zeros stand for what is behind the end."""
    cdef uint64_t word = 0
    cdef uint64_t byte = r.position >> 3
    cdef uint64_t left = (r.end >> 3) - byte
    cdef uint32_t i
    if left >= 8:
        memcpy(&word, r.data + byte, 8)
        word = __builtin_bswap64(word)
    else:
        for i in range(<uint32_t>left):
            word |= <uint64_t>r.data[byte + i] << (56 - 8 * i)
    return word << (r.position & 7)

cdef inline int skip_bits(BitReader* r, uint32_t width) noexcept nogil:
    """Moves on; -1 where fewer bits are left."""
    if r.end - r.position < width:
        return -1
    r.position += width
    return 0

cdef inline int get_bits(BitReader* r, uint32_t width, uint64_t* out) noexcept nogil:
    """Reads `width` (0..64) bits; -1 where fewer are left."""
    cdef uint64_t word
    cdef uint32_t used = <uint32_t>(r.position & 7)
    if r.end - r.position < width:
        return -1
    if width == 0:
        out[0] = 0
        return 0
    word = peek_bits(r)
    if used + width > 64:
        word |= r.data[(r.position >> 3) + 8] >> (8 - used)
    out[0] = word >> (64 - width)
    r.position += width
    return 0
