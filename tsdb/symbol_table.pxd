"""The index's symbol table, held as it is stored. Source: docs/formats.md, "Symbol table"."""

from libc.stdint cimport uint8_t, uint32_t

from tsdb.file_writer cimport FileWriter
from tsdb.views cimport Bytes

cdef class SymbolTable:
    cdef uint32_t count
    cdef bint begins_empty    # whether symbol 0 is the empty string, which no label may use
    cdef uint8_t* _entries    # uvstr after uvstr, as in the file
    cdef uint32_t* _starts    # of each entry, and behind the last
    cdef int fill(self, const Bytes* symbols, uint32_t count) except -1 nogil
    cdef int write(self, FileWriter file) except -1 nogil
    cdef inline Bytes entry(self, uint32_t ordinal) noexcept nogil:
        """The uvstr of one symbol, length included."""
        cdef Bytes entry
        entry.data = self._entries + self._starts[ordinal]
        entry.size = self._starts[ordinal + 1] - self._starts[ordinal]
        return entry
