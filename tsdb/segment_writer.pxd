"""Writer of `chunks/NNNNNN`. Source: docs/formats.md, "Segment files"."""

from libc.stdint cimport uint32_t, uint64_t

from tsdb.file_writer cimport FileWriter
from tsdb.views cimport ChunkRef

cdef class SegmentWriter:
    cdef readonly uint32_t chunk_max_size
    cdef readonly list names      # of the files, in the order of their numbers
    cdef object _directory
    cdef uint64_t _segment_bytes
    cdef uint64_t _started        # files begun; the last one is open
    cdef FileWriter _file
    cdef int write(self, const ChunkRef* chunk, uint64_t* ref) except -1 nogil
    cdef int finish(self) except -1
    cdef int _next_file(self) except -1 nogil
