"""The keyed hash of a head's series table and a block's symbols.

Murmur3 decides partitions, but it has no key: anyone can make label sets that collide under it. Here every 16 bytes go
through one folded 64 x 64 multiplication with a secret of the process (the construction of wyhash), so collisions
cannot be prepared. It never shows in any output.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline uint64_t forebay_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    static inline void forebay_prefetch(const void* p) { __builtin_prefetch(p); }
    """
    uint64_t fold "forebay_fold"(uint64_t a, uint64_t b) noexcept nogil
    void prefetch "forebay_prefetch"(const void* p) noexcept nogil

cdef struct HashKey:
    uint64_t k[4]

cdef inline uint64_t _word(const uint8_t* p) noexcept nogil:
    cdef uint64_t w
    memcpy(&w, p, 8)
    return w

cdef inline uint64_t label_hash(const uint8_t* p, size_t n, const HashKey* key) noexcept nogil:
    cdef uint64_t a = key.k[0]
    cdef uint64_t b = key.k[1]
    cdef size_t left = n
    cdef uint64_t last[2]
    while left > 32:
        a = fold(_word(p) ^ key.k[2], _word(p + 8) ^ a)
        b = fold(_word(p + 16) ^ key.k[3], _word(p + 24) ^ b)
        p += 32
        left -= 32
    if left > 16:
        a = fold(_word(p) ^ key.k[2], _word(p + 8) ^ a)
        p += 16
        left -= 16
    last[0] = 0
    last[1] = 0
    memcpy(last, p, left)
    b = fold(last[0] ^ key.k[3], last[1] ^ b)
    return fold(a ^ key.k[1], b ^ n)
