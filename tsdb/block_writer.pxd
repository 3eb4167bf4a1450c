"""Streaming writer of one block's `index` and `chunks/NNNNNN`: symbols first, then series in ascending label order."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tsdb.index_writer cimport IndexWriter
from tsdb.segment_writer cimport SegmentWriter
from tsdb.views cimport Bytes, ChunkRef

cdef class BlockWriter:
    cdef object _directory
    cdef dict _ordinals           # of symbols, for series that come from Python
    cdef IndexWriter _index
    cdef SegmentWriter _segments
    cdef bint _open
    cdef bint _has_symbols
    cdef uint64_t* _places
    cdef uint32_t _place_room
    cdef uint64_t _series
    cdef uint64_t _chunks
    cdef uint64_t _float_samples
    cdef uint64_t _histogram_samples
    cdef int64_t _min_time
    cdef int64_t _max_time
    cdef int set_symbols(self, const Bytes* symbols, uint32_t count) except -1 nogil
    cdef int add_series(self, const uint32_t* refs, uint32_t pairs, const ChunkRef* chunks, uint32_t count) except -1 nogil
    cdef int _check_chunks(self, const ChunkRef* chunks, uint32_t count) except -1 nogil
