"""Which series carry which label, collected series by series and written as postings lists and their table."""

from libc.stdint cimport uint32_t, uint64_t

from tsdb.file_writer cimport FileWriter
from tsdb.symbol_table cimport SymbolTable

cdef struct Pair:
    uint64_t key   # name symbol << 32 | value symbol
    uint32_t id    # in order of first appearance, from 1; 0 marks a free slot

cdef class PostingsBuilder:
    cdef Pair* _slots
    cdef size_t _slot_mask
    cdef uint32_t _pairs          # distinct
    cdef uint32_t* _lengths       # of each pair's list, by id - 1
    cdef size_t _length_room
    cdef uint32_t* _labels        # pair id of every label; the top bit begins a series
    cdef size_t _label_count
    cdef size_t _label_room
    cdef uint32_t* _series        # ids, in order
    cdef size_t _series_count
    cdef size_t _series_room
    cdef Pair* _sorted            # by key, once `write_lists` ran
    cdef int add(self, uint32_t series, const uint32_t* refs, uint32_t pairs) except -1 nogil
    cdef int write_lists(self, FileWriter file) except -1 nogil
    cdef int write_table(self, FileWriter file, SymbolTable symbols, uint64_t first_list) except -1 nogil
    cdef uint32_t _pair_id(self, uint64_t key) except 0 nogil
    cdef int _grow_slots(self) except -1 nogil
    cdef uint32_t* _fill_lists(self, size_t* starts) except NULL nogil
