"""Writer of `index`, version 2. Source: docs/formats.md, "Index file"."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tsdb.file_writer cimport FileWriter
from tsdb.postings_builder cimport PostingsBuilder
from tsdb.symbol_table cimport SymbolTable
from tsdb.views cimport Bytes, ChunkRef

cdef class IndexWriter:
    cdef readonly uint32_t series_max_size
    cdef SymbolTable symbols
    cdef FileWriter _file
    cdef PostingsBuilder _postings
    cdef uint64_t _series_begin
    cdef uint8_t* _entry
    cdef size_t _entry_room
    cdef uint32_t* _last       # label refs of the series before, for the order check
    cdef uint32_t _last_pairs
    cdef uint32_t _last_room
    cdef int set_symbols(self, const Bytes* symbols, uint32_t count) except -1 nogil
    cdef int check_labels(self, const uint32_t* refs, uint32_t pairs) except -1 nogil
    cdef int add(
        self, const uint32_t* refs, uint32_t pairs, const ChunkRef* chunks, const uint64_t* places, uint32_t count
    ) except -1 nogil
    cdef int finish(self) except -1
    cdef bint _follows(self, const uint32_t* refs, uint32_t pairs) noexcept nogil
