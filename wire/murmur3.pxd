"""MurmurHash3 and jump consistent hash, inline for kernels; `wire.hashing` shows them to Python.

A series' hash is murmur3_x64_128 over its canonical label bytes (`wire/canonical.pxd`), seeded with murmur3_x86_32 of the
tenant id. It decides partitions, so it is data layout: it never changes. Sources: Austin Appleby's MurmurHash3 (public
domain), Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    MAX_JUMPS = 32

cdef extern from *:
    """
    #define FOREBAY_C1 0x87C37B91114253D5ULL
    #define FOREBAY_C2 0x4CF5AD432745937FULL
    """
    const uint64_t C1 "FOREBAY_C1"
    const uint64_t C2 "FOREBAY_C2"

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

cdef inline void _mix_block(Hash128* h, const uint8_t* p) noexcept nogil:
    """Sixteen bytes into the state."""
    cdef uint64_t k1, k2
    memcpy(&k1, p, 8)
    memcpy(&k2, p + 8, 8)
    h.low ^= _rotl64(k1 * C1, 31) * C2
    h.low = (_rotl64(h.low, 27) + h.high) * 5 + 0x52DCE729
    h.high ^= _rotl64(k2 * C2, 33) * C1
    h.high = (_rotl64(h.high, 31) + h.low) * 5 + 0x38495AB5

cdef inline Hash128 _finish(Hash128 h, const uint8_t* p, size_t n, size_t mixed) noexcept nogil:
    """The hash of `n` bytes, of which `mixed` are in the state; `p` is where the rest begins."""
    cdef uint64_t tail[2]
    cdef const uint8_t* end = p + ((n - mixed) & ~<size_t>15)
    while p < end:
        _mix_block(&h, p)
        p += 16
    if n & 15:
        tail[0] = 0
        tail[1] = 0
        memcpy(tail, p, n & 15)
        h.high ^= _rotl64(tail[1] * C2, 33) * C1
        h.low ^= _rotl64(tail[0] * C1, 31) * C2
    h.low ^= <uint64_t>n
    h.high ^= <uint64_t>n
    h.low += h.high
    h.high += h.low
    h.low = _fmix64(h.low)
    h.high = _fmix64(h.high)
    h.low += h.high
    h.high += h.low
    return h

cdef inline Hash128 murmur3_x64_128(const uint8_t* data, size_t n, uint32_t seed) noexcept nogil:
    cdef Hash128 h
    h.low = seed
    h.high = seed
    return _finish(h, data, n, 0)

cdef inline void murmur3_x64_128_of_two(
    const uint8_t* a, size_t a_size, Hash128* a_out, const uint8_t* b, size_t b_size, Hash128* b_out, uint32_t seed
) noexcept nogil:
    """As two calls, in less time: each step of a hash waits for the one before it, but not for the other hash."""
    cdef size_t both = (a_size if a_size < b_size else b_size) & ~<size_t>15
    cdef const uint8_t* end = a + both
    cdef Hash128 h, g
    h.low = seed
    h.high = seed
    g = h
    while a < end:
        _mix_block(&h, a)
        _mix_block(&g, b)
        a += 16
        b += 16
    a_out[0] = _finish(h, a, a_size, both)
    b_out[0] = _finish(g, b, b_size, both)

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

cdef inline void jump_hashes(uint64_t* keys, int32_t* out, uint32_t count, int32_t buckets) noexcept nogil:
    """As `jump_hash` of each of at most MAX_JUMPS keys, which are lost; in less time, since nothing is to be foreseen.

    How many jumps a key makes is chance, so it is not branched upon: those that jump on are gathered for the next round.
    """
    cdef uint8_t live[MAX_JUMPS]
    cdef uint32_t i, at, left
    cdef uint64_t key
    cdef int64_t j
    for i in range(count):
        live[i] = <uint8_t>i
        out[i] = 0
    while count:
        left = 0
        for i in range(count):
            at = live[i]
            key = keys[at] * <uint64_t>2862933555777941757ULL + 1
            keys[at] = key
            j = <int64_t>((<double>(out[at] + 1)) * (<double>(<int64_t>1 << 31) / <double>((key >> 33) + 1)))
            live[left] = <uint8_t>at
            left += j < buckets
            out[at] = <int32_t>j if j < buckets else out[at]
        count = left
