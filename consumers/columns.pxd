"""The columns of a version 2 record's rows: times as differences, values as planes of bytes."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from consumers.window cimport Sample
from wire.cursor cimport Cursor, read_varint

cdef inline int read_times(Cursor* c, Sample* samples, uint32_t count) noexcept nogil:
    """Each sample's time; -1 where they are cut off. The rest of a sample is set to that of a float."""
    cdef uint64_t t = 0
    cdef uint64_t zigzag
    cdef uint32_t i
    for i in range(count):
        if read_varint(c, &zigzag) < 0:
            return -1
        t += (zigzag >> 1) ^ (0 - (zigzag & 1))
        samples[i] = Sample(<int64_t>t, 0, NULL, 0)
    return 0

cdef inline void _swap(uint64_t* a, uint64_t* b, int shift, uint64_t mask) noexcept nogil:
    """Exchanges the bytes of `a` that lie `shift` above `mask` with those of `b` in it."""
    cdef uint64_t t = ((a[0] >> shift) ^ b[0]) & mask
    b[0] ^= t
    a[0] ^= t << shift

cdef inline void gather_values(const uint8_t* planes, Sample* samples, uint32_t count) noexcept nogil:
    """Plane k holds byte k of each value: `8 * count` bytes. Eight values at a time, by turning a square of bytes."""
    cdef uint64_t row[8]
    cdef uint32_t i = 0
    cdef int k
    while i + 8 <= count:
        for k in range(8):
            memcpy(&row[k], planes + <size_t>k * count + i, 8)
        for k in range(4):
            _swap(&row[k], &row[k + 4], 32, <uint64_t>0x00000000FFFFFFFFULL)
        for k in range(2):
            _swap(&row[k], &row[k + 2], 16, <uint64_t>0x0000FFFF0000FFFFULL)
            _swap(&row[k + 4], &row[k + 6], 16, <uint64_t>0x0000FFFF0000FFFFULL)
        for k in range(0, 8, 2):
            _swap(&row[k], &row[k + 1], 8, <uint64_t>0x00FF00FF00FF00FFULL)
        for k in range(8):
            samples[i + k].bits = row[k]
        i += 8
    while i < count:
        for k in range(8):
            samples[i].bits |= <uint64_t>planes[<size_t>k * count + i] << (8 * k)
        i += 1
