"""MurmurHash3 and jump consistent hash, inline for kernels; `wire.hashing` shows them to Python.

A series' hash is murmur3_x64_128 over its canonical label bytes (`wire/canonical.pxd`), seeded with murmur3_x86_32 of the
tenant id. It decides partitions, so it is data layout: it never changes. Sources: Austin Appleby's MurmurHash3 (public
domain), Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef struct Hash128:
    uint64_t low
    uint64_t high

cdef inline uint64_t _rotl64(uint64_t x, int r) noexcept nogil:
    return (x << r) | (x >> (64 - r))

cdef inline uint64_t _fmix64(uint64_t k) noexcept nogil:
    k ^= k >> 33
    k *= <uint64_t>0xFF51AFD7ED558CCDULL
    k ^= k >> 33
    k *= <uint64_t>0xC4CEB9FE1A85EC53ULL
    k ^= k >> 33
    return k

cdef inline Hash128 murmur3_x64_128(const uint8_t* data, size_t n, uint32_t seed) noexcept nogil:
    cdef uint64_t c1 = <uint64_t>0x87C37B91114253D5ULL
    cdef uint64_t c2 = <uint64_t>0x4CF5AD432745937FULL
    cdef uint64_t h1 = seed
    cdef uint64_t h2 = seed
    cdef uint64_t k1, k2
    cdef uint64_t tail[2]
    cdef const uint8_t* p = data
    cdef const uint8_t* end = data + (n & ~<size_t>15)
    cdef size_t rest = n & 15
    cdef Hash128 out
    while p < end:
        memcpy(&k1, p, 8)
        memcpy(&k2, p + 8, 8)
        p += 16
        k1 *= c1
        k1 = _rotl64(k1, 31)
        k1 *= c2
        h1 ^= k1
        h1 = _rotl64(h1, 27)
        h1 += h2
        h1 = h1 * 5 + 0x52DCE729
        k2 *= c2
        k2 = _rotl64(k2, 33)
        k2 *= c1
        h2 ^= k2
        h2 = _rotl64(h2, 31)
        h2 += h1
        h2 = h2 * 5 + 0x38495AB5
    if rest:
        tail[0] = 0
        tail[1] = 0
        memcpy(tail, p, rest)
        k2 = tail[1] * c2
        h2 ^= _rotl64(k2, 33) * c1
        k1 = tail[0] * c1
        h1 ^= _rotl64(k1, 31) * c2
    h1 ^= <uint64_t>n
    h2 ^= <uint64_t>n
    h1 += h2
    h2 += h1
    h1 = _fmix64(h1)
    h2 = _fmix64(h2)
    h1 += h2
    h2 += h1
    out.low = h1
    out.high = h2
    return out

cdef inline uint32_t murmur3_x86_32(const uint8_t* data, size_t n, uint32_t seed) noexcept nogil:
    cdef uint32_t h = seed
    cdef uint32_t k
    cdef size_t i
    cdef size_t blocks = n >> 2
    cdef size_t rest = n & 3
    for i in range(blocks):
        memcpy(&k, data + 4 * i, 4)
        k *= <uint32_t>0xCC9E2D51u
        k = (k << 15) | (k >> 17)
        k *= <uint32_t>0x1B873593u
        h ^= k
        h = (h << 13) | (h >> 19)
        h = h * 5 + <uint32_t>0xE6546B64u
    if rest:
        k = 0
        memcpy(&k, data + 4 * blocks, rest)
        k *= <uint32_t>0xCC9E2D51u
        k = (k << 15) | (k >> 17)
        k *= <uint32_t>0x1B873593u
        h ^= k
    h ^= <uint32_t>n
    h ^= h >> 16
    h *= <uint32_t>0x85EBCA6Bu
    h ^= h >> 13
    h *= <uint32_t>0xC2B2AE35u
    h ^= h >> 16
    return h

cdef inline int32_t jump_hash(uint64_t key, int32_t buckets) noexcept nogil:
    """A bucket in [0, buckets); growing from N to M buckets moves only the share that must move."""
    cdef int64_t b = -1
    cdef int64_t j = 0
    while j < buckets:
        b = j
        key = key * <uint64_t>2862933555777941757ULL + 1
        j = <int64_t>((<double>(b + 1)) * (<double>(<int64_t>1 << 31) / <double>((key >> 33) + 1)))
    return <int32_t>b
