"""Integers in prefixed buckets of bits, as histogram chunks hold them. Source: docs/formats.md, "varbit"."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tsdb.bits cimport BitReader, get_bits, peek_bits, put_bits, skip_bits

cdef extern from * nogil:
    int __builtin_clzll(unsigned long long)

cdef enum:
    VARBIT_MAX_BITS = 72

cdef inline uint32_t put_varbit_int(uint8_t* data, uint32_t nbits, int64_t v) noexcept nogil:
    """Signed; each range reaches one further up than down."""
    cdef uint64_t u = <uint64_t>v
    if v == 0:
        return put_bits(data, nbits, 0, 1)
    if -3 <= v <= 4:
        return put_bits(data, nbits, (<uint64_t>2 << 3) | (u & 0x7), 5)
    if -31 <= v <= 32:
        return put_bits(data, nbits, (<uint64_t>6 << 6) | (u & 0x3F), 9)
    if -255 <= v <= 256:
        return put_bits(data, nbits, (<uint64_t>14 << 9) | (u & 0x1FF), 13)
    if -2047 <= v <= 2048:
        return put_bits(data, nbits, (<uint64_t>30 << 12) | (u & 0xFFF), 17)
    if -131071 <= v <= 131072:
        return put_bits(data, nbits, (<uint64_t>62 << 18) | (u & 0x3FFFF), 24)
    if -16777215 <= v <= 16777216:
        return put_bits(data, nbits, (<uint64_t>126 << 25) | (u & 0x1FFFFFF), 32)
    if -(<int64_t>1 << 55) < v <= <int64_t>1 << 55:
        return put_bits(data, nbits, (<uint64_t>254 << 56) | (u & 0xFFFFFFFFFFFFFFULL), 64)
    return put_bits(data, put_bits(data, nbits, 255, 8), u, 64)

cdef inline uint32_t put_varbit_uint(uint8_t* data, uint32_t nbits, uint64_t u) noexcept nogil:
    if u == 0:
        return put_bits(data, nbits, 0, 1)
    if u < 8:
        return put_bits(data, nbits, (<uint64_t>2 << 3) | u, 5)
    if u < 64:
        return put_bits(data, nbits, (<uint64_t>6 << 6) | u, 9)
    if u < 512:
        return put_bits(data, nbits, (<uint64_t>14 << 9) | u, 13)
    if u < 4096:
        return put_bits(data, nbits, (<uint64_t>30 << 12) | u, 17)
    if u < 262144:
        return put_bits(data, nbits, (<uint64_t>62 << 18) | u, 24)
    if u < 33554432:
        return put_bits(data, nbits, (<uint64_t>126 << 25) | u, 32)
    if u < <uint64_t>1 << 56:
        return put_bits(data, nbits, (<uint64_t>254 << 56) | u, 64)
    return put_bits(data, put_bits(data, nbits, 255, 8), u, 64)

cdef inline int _get_varbit(BitReader* r, uint64_t* out, uint32_t* width) noexcept nogil:
    """The payload and how many bits it had (0 for the integer 0); -1 where the stream ends early."""
    cdef uint64_t word = peek_bits(r)
    cdef uint32_t ones = 8 if word >= <uint64_t>0xFF << 56 else <uint32_t>__builtin_clzll(~word)
    cdef uint32_t payload
    if ones == 0:
        out[0] = 0
        width[0] = 0
        return skip_bits(r, 1)
    if ones >= 7:
        payload = 64 if ones == 8 else 56
        width[0] = payload
        if skip_bits(r, 8) < 0:
            return -1
        return get_bits(r, payload, out)
    payload = 25 if ones == 6 else 18 if ones == 5 else 3 * ones
    width[0] = payload
    out[0] = (word << (ones + 1)) >> (64 - payload)
    return skip_bits(r, ones + 1 + payload)

cdef inline int get_varbit_uint(BitReader* r, uint64_t* out) noexcept nogil:
    """-1 where the stream ends early."""
    cdef uint32_t width
    return _get_varbit(r, out, &width)

cdef inline int get_varbit_int(BitReader* r, int64_t* out) noexcept nogil:
    """-1 where the stream ends early."""
    cdef uint32_t width
    cdef uint64_t u = 0
    if _get_varbit(r, &u, &width) < 0:
        return -1
    if 0 < width < 64 and u > <uint64_t>1 << (width - 1):
        u -= <uint64_t>1 << width
    out[0] = <int64_t>u
    return 0
