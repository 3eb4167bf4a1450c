from libc.stdint cimport uint8_t, uint32_t

from tsdb.views cimport Bytes

cdef class SymbolReader:
    cdef const uint8_t[::1] _section
    cdef uint32_t* _starts       # of each entry's length, from the section's start
    cdef readonly uint32_t count
    cdef Bytes at(self, uint32_t ordinal) noexcept nogil
    cdef int _index(self) noexcept
