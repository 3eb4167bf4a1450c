"""Walks label bytes that a head holds: they were checked when they came in, so lengths are trusted here."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from wire.canonical cimport LabelPair

cdef inline uint32_t _length(const uint8_t** p) noexcept nogil:
    cdef uint32_t value = p[0][0]
    cdef uint32_t shift = 7
    p[0] += 1
    if value < 0x80:
        return value
    value &= 0x7F
    while p[0][0] >= 0x80:
        value |= <uint32_t>(p[0][0] & 0x7F) << shift
        shift += 7
        p[0] += 1
    value |= <uint32_t>p[0][0] << shift
    p[0] += 1
    return value

cdef inline const uint8_t* next_label(const uint8_t* p, LabelPair* pair) noexcept nogil:
    """The label whose field begins at `p`; returns where the next one begins."""
    p += 1
    _length(&p)
    p += 1
    pair.name_size = _length(&p)
    pair.name = p
    p += pair.name_size + 1
    pair.value_size = _length(&p)
    pair.value = p
    return p + pair.value_size

cdef inline bint find_label(
    const uint8_t* p, uint32_t size, const uint8_t* name, uint32_t name_size, LabelPair* out
) noexcept nogil:
    """The label of that name; where there is none, `out` has an empty value, as Prometheus sees a missing label."""
    cdef const uint8_t* end = p + size
    while p < end:
        p = next_label(p, out)
        if out.name_size == name_size and memcmp(out.name, name, name_size) == 0:
            return True
    out.value = p
    out.value_size = 0
    return False

cdef inline uint32_t count_labels(const uint8_t* p, uint32_t size) noexcept nogil:
    cdef const uint8_t* end = p + size
    cdef LabelPair pair
    cdef uint32_t n = 0
    while p < end:
        p = next_label(p, &pair)
        n += 1
    return n
