"""UTF-8 as Unicode defines it: shortest forms only, no surrogates, nothing above U+10FFFF. What Go's utf8.Valid accepts."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef inline bint is_ascii(const uint8_t* p, size_t n) noexcept nogil:
    """Eight bytes at a time; the last step overlaps the one before it."""
    cdef uint64_t word
    cdef uint64_t seen = 0
    cdef size_t i = 0
    if n < 8:
        while i < n:
            seen |= p[i]
            i += 1
        return seen < 0x80
    while i + 8 <= n:
        memcpy(&word, p + i, 8)
        seen |= word
        i += 8
    memcpy(&word, p + n - 8, 8)
    seen |= word
    return (seen & <uint64_t>0x8080808080808080ULL) == 0

cdef inline bint _is_tail(uint8_t byte) noexcept nogil:
    return (byte & 0xC0) == 0x80

cdef inline bint is_utf8(const uint8_t* p, size_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint8_t first, second
    if is_ascii(p, n):
        return True
    while p < end:
        first = p[0]
        if first < 0x80:
            p += 1
        elif first < 0xC2:  # a tail byte alone, or an overlong two-byte form
            return False
        elif first < 0xE0:
            if end - p < 2 or not _is_tail(p[1]):
                return False
            p += 2
        elif first < 0xF0:
            if end - p < 3 or not _is_tail(p[1]) or not _is_tail(p[2]):
                return False
            second = p[1]
            if (first == 0xE0 and second < 0xA0) or (first == 0xED and second > 0x9F):  # overlong; surrogate
                return False
            p += 3
        elif first < 0xF5:
            if end - p < 4 or not _is_tail(p[1]) or not _is_tail(p[2]) or not _is_tail(p[3]):
                return False
            second = p[1]
            if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F):  # overlong; above U+10FFFF
                return False
            p += 4
        else:
            return False
    return True
