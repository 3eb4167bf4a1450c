"""MD5, for hashmod rules alone: Prometheus takes its last eight bytes, so that old configurations keep their shards."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    static const uint32_t forebay_md5_sines[64] = {
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
        0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
        0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
        0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
        0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
        0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
        0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
        0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
    };
    static const uint8_t forebay_md5_turns[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
    """
    const uint32_t md5_sines "forebay_md5_sines"[64]
    const uint8_t md5_turns "forebay_md5_turns"[16]

cdef inline void _md5_block(uint32_t* state, const uint8_t* block) noexcept nogil:
    cdef uint32_t words[16]
    cdef uint32_t a = state[0]
    cdef uint32_t b = state[1]
    cdef uint32_t c = state[2]
    cdef uint32_t d = state[3]
    cdef uint32_t f, g, i, turn
    memcpy(words, block, 64)  # little endian, as on every machine this builds for
    for i in range(64):
        if i < 16:
            f = (b & c) | (~b & d)
            g = i
        elif i < 32:
            f = (d & b) | (~d & c)
            g = (5 * i + 1) & 15
        elif i < 48:
            f = b ^ c ^ d
            g = (3 * i + 5) & 15
        else:
            f = c ^ (b | ~d)
            g = (7 * i) & 15
        f += a + md5_sines[i] + words[g]
        a = d
        d = c
        c = b
        turn = md5_turns[(i >> 4) * 4 + (i & 3)]
        b += (f << turn) | (f >> (32 - turn))
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d

cdef inline uint64_t md5_last_half(const uint8_t* data, size_t size) noexcept nogil:
    """Bytes 8 to 15 of the digest, as a big-endian number."""
    cdef uint32_t state[4]
    cdef uint8_t tail[128]
    cdef uint64_t bits = <uint64_t>size * 8
    cdef size_t rest = size & 63
    cdef size_t at = 0
    cdef size_t padded = 64 if rest < 56 else 128
    cdef uint8_t half[8]
    cdef uint64_t number = 0
    cdef int i
    state[0] = 0x67452301
    state[1] = 0xefcdab89
    state[2] = 0x98badcfe
    state[3] = 0x10325476
    while at + 64 <= size:
        _md5_block(state, data + at)
        at += 64
    memset(tail, 0, 128)
    if rest:
        memcpy(tail, data + at, rest)
    tail[rest] = 0x80
    memcpy(tail + padded - 8, &bits, 8)
    _md5_block(state, tail)
    if padded == 128:
        _md5_block(state, tail + 64)
    memcpy(half, &state[2], 8)
    for i in range(8):
        number = number << 8 | half[i]
    return number
