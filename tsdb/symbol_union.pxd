"""The symbols of several indexes as one ascending row."""

from libc.stdint cimport uint32_t

from tsdb.symbol_reader cimport SymbolReader
from tsdb.views cimport Bytes

cdef class SymbolUnion:
    cdef Bytes* symbols        # views into the sources' sections
    cdef uint32_t count
    cdef uint32_t** ordinals   # per source: its ordinal to the union's
    cdef uint32_t* _counts     # per source: its symbols
    cdef Py_ssize_t _sources
    cdef tuple _held           # keeps the sections alive
    cdef int _merge(self) except -1
