"""XOR float chunks (encoding 1), inline for kernels. Source: docs/formats.md, "XOR".

Values are 64-bit patterns throughout: a stale marker is a signalling NaN and must never pass through float arithmetic.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tsdb.bits cimport BitReader, get_bits, peek_bits, put_bits, skip_bits

cdef enum:
    XOR_UNSET = 0xFF          # `lead` before the first non-zero xor
    XOR_MAX_SAMPLE_BYTES = 20  # 80 bits of time (the second sample's varint; 68 later) and 77 of value
    XOR_TOUCHED_BYTES = 20     # by one append: the last store begins at most 11 bytes in and touches nine
    SAMPLES_PER_CHUNK = 120    # where Prometheus cuts when it re-encodes; a fixed count keeps bytes a function of samples

cdef struct XorState:
    int64_t t
    int64_t delta
    uint64_t v
    uint32_t nbits     # length of the chunk so far, header included
    uint16_t count
    uint8_t lead
    uint8_t trail

cdef extern from * nogil:
    int __builtin_clzll(unsigned long long)
    int __builtin_ctzll(unsigned long long)

cdef inline uint32_t _put_varint(uint8_t* data, uint32_t nbits, uint64_t value) noexcept nogil:
    while value >= 0x80:
        nbits = put_bits(data, nbits, (value & 0x7F) | 0x80, 8)
        value >>= 7
    return put_bits(data, nbits, value, 8)

cdef inline uint32_t put_xor_value_after(
    uint8_t* data,
    uint32_t nbits,
    uint64_t prefix,
    uint32_t width,
    uint64_t value,
    uint64_t previous,
    uint8_t* lead,
    uint8_t* trail,
) noexcept nogil:
    """`width` (0..24) bits of `prefix`, then the xor-value of `value` against `previous`.

    Moves the window (lead, trail) where it must. Most samples are one store this way.
    """
    cdef uint64_t x = value ^ previous
    cdef uint32_t leading, trailing, significant
    if x == 0:
        return put_bits(data, nbits, prefix << 1, width + 1)
    leading = __builtin_clzll(x)
    trailing = __builtin_ctzll(x)
    if leading > 31:
        leading = 31
    if lead[0] != XOR_UNSET and leading >= lead[0] and trailing >= trail[0]:
        significant = 64 - <uint32_t>lead[0] - trail[0]
        x >>= trail[0]
        prefix = (prefix << 2) | 2
        width += 2
    else:
        lead[0] = <uint8_t>leading
        trail[0] = <uint8_t>trailing
        significant = 64 - leading - trailing
        x >>= trailing
        prefix = (prefix << 13) | (3 << 11) | (leading << 6) | (significant & 63)
        width += 13
    if width + significant <= 64:
        return put_bits(data, nbits, (prefix << significant) | x, width + significant)
    return put_bits(data, put_bits(data, nbits, prefix, width), x, significant)

cdef inline uint32_t put_xor_value(
    uint8_t* data, uint32_t nbits, uint64_t value, uint64_t previous, uint8_t* lead, uint8_t* trail
) noexcept nogil:
    """The xor-value of `value` against `previous`; moves the window (lead, trail) where it must."""
    return put_xor_value_after(data, nbits, 0, 0, value, previous, lead, trail)

cdef inline void xor_append(uint8_t* data, XorState* s, int64_t t, uint64_t v) noexcept nogil:
    """Appends one sample; t must not be less than the last one's. A new chunk is a state whose `count` is 0.

    Touches at most XOR_TOUCHED_BYTES from data[nbits >> 3] on (at the start: 32 in all). The count in the header is
    kept current, so data[0:(nbits + 7) // 8] is a whole chunk after every call.
    """
    cdef uint32_t nbits = s.nbits
    cdef uint32_t width
    cdef uint64_t prefix
    cdef int64_t delta, dod
    if s.count == 0:
        nbits = 16
        nbits = _put_varint(data, nbits, (<uint64_t>t << 1) ^ <uint64_t>(t >> 63))
        nbits = put_bits(data, nbits, v, 64)
        s.lead = XOR_UNSET
        s.trail = 0
        s.delta = 0
    elif s.count == 1:
        delta = t - s.t
        nbits = _put_varint(data, nbits, <uint64_t>delta)
        nbits = put_xor_value(data, nbits, v, s.v, &s.lead, &s.trail)
        s.delta = delta
    else:
        delta = t - s.t
        dod = delta - s.delta
        if dod == 0:
            prefix = 0
            width = 1
        elif -8191 <= dod <= 8192:
            prefix = (<uint64_t>2 << 14) | (<uint64_t>dod & 0x3FFF)
            width = 16
        elif -65535 <= dod <= 65536:
            prefix = (<uint64_t>6 << 17) | (<uint64_t>dod & 0x1FFFF)
            width = 20
        elif -524287 <= dod <= 524288:
            prefix = (<uint64_t>14 << 20) | (<uint64_t>dod & 0xFFFFF)
            width = 24
        else:
            nbits = put_bits(data, nbits, 15, 4)
            nbits = put_bits(data, nbits, <uint64_t>dod, 64)
            prefix = 0
            width = 0
        nbits = put_xor_value_after(data, nbits, prefix, width, v, s.v, &s.lead, &s.trail)
        s.delta = delta
    s.t = t
    s.v = v
    s.nbits = nbits
    s.count += 1
    data[0] = <uint8_t>(s.count >> 8)
    data[1] = <uint8_t>s.count

cdef struct XorReader:
    BitReader bits
    int64_t t
    int64_t delta
    uint64_t v
    uint32_t count     # samples in the chunk
    uint32_t done      # samples read so far
    uint8_t lead
    uint8_t trail

cdef inline int get_xor_value(BitReader* r, uint64_t* value, uint8_t* lead, uint8_t* trail) noexcept nogil:
    """Turns `value` into the next one; -1 where the stream ends early or its window is impossible."""
    cdef uint64_t word = peek_bits(r)
    cdef uint64_t x
    cdef uint32_t significant
    if word >> 63 == 0:
        return skip_bits(r, 1)
    if word >> 62 == 2:
        if lead[0] == XOR_UNSET or skip_bits(r, 2) < 0:
            return -1
    else:
        if skip_bits(r, 13) < 0:
            return -1
        lead[0] = <uint8_t>((word >> 57) & 31)
        significant = <uint32_t>((word >> 51) & 63)
        if significant == 0:
            significant = 64
        if lead[0] + significant > 64:
            return -1
        trail[0] = <uint8_t>(64 - lead[0] - significant)
    if get_bits(r, 64 - <uint32_t>lead[0] - trail[0], &x) < 0:
        return -1
    value[0] ^= x << trail[0]
    return 0

cdef inline int _get_dod(BitReader* r, int64_t* dod) noexcept nogil:
    cdef uint64_t word = peek_bits(r)
    cdef uint64_t raw
    cdef uint32_t width
    if word >> 63 == 0:
        dod[0] = 0
        return skip_bits(r, 1)
    if word >> 62 == 2:
        raw = (word >> 48) & 0x3FFF
        width = 14
    elif word >> 61 == 6:
        raw = (word >> 44) & 0x1FFFF
        width = 17
    elif word >> 60 == 14:
        raw = (word >> 40) & 0xFFFFF
        width = 20
    else:
        if skip_bits(r, 4) < 0 or get_bits(r, 64, &raw) < 0:
            return -1
        dod[0] = <int64_t>raw
        return 0
    dod[0] = <int64_t>raw
    if raw > <uint64_t>1 << (width - 1):
        dod[0] -= <int64_t>1 << width
    return skip_bits(r, 16 if width == 14 else width + (3 if width == 17 else 4))

cdef inline int _get_varint(BitReader* r, uint64_t* out) noexcept nogil:
    cdef uint64_t value = 0
    cdef uint64_t byte
    cdef uint32_t shift = 0
    while shift < 70:
        if get_bits(r, 8, &byte) < 0:
            return -1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            out[0] = value
            return 0
        shift += 7
    return -1

cdef inline int xor_open(XorReader* r, const uint8_t* data, size_t size) noexcept nogil:
    """Begins to read a chunk of `size` bytes; -1 where it has no header."""
    if size < 2:
        return -1
    r.bits.data = data
    r.bits.position = 16
    r.bits.end = <uint64_t>size * 8
    r.count = (<uint32_t>data[0] << 8) | data[1]
    r.done = 0
    r.lead = XOR_UNSET
    r.trail = 0
    r.delta = 0
    return 0

cdef inline int xor_next(XorReader* r) noexcept nogil:
    """The next sample into (r.t, r.v): 1, or 0 behind the last one, or -1 where the chunk is damaged."""
    cdef uint64_t raw
    cdef int64_t dod
    if r.done == r.count:
        return 0
    if r.done == 0:
        if _get_varint(&r.bits, &raw) < 0 or get_bits(&r.bits, 64, &r.v) < 0:
            return -1
        r.t = <int64_t>(raw >> 1) ^ -<int64_t>(raw & 1)
    elif r.done == 1:
        if _get_varint(&r.bits, &raw) < 0 or get_xor_value(&r.bits, &r.v, &r.lead, &r.trail) < 0:
            return -1
        r.delta = <int64_t>raw
        r.t += r.delta
    else:
        if _get_dod(&r.bits, &dod) < 0:
            return -1
        r.delta += dod
        r.t += r.delta
        if get_xor_value(&r.bits, &r.v, &r.lead, &r.trail) < 0:
            return -1
    r.done += 1
    return 1
