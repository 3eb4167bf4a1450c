"""One series entry of an index, decoded into memory that the next one uses again."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef struct ChunkPlace:
    int64_t mint
    int64_t maxt
    uint64_t ref      # segment << 32 | offset

cdef class SeriesEntry:
    cdef uint32_t* refs          # name and value symbols in turn
    cdef uint32_t pairs
    cdef ChunkPlace* chunks
    cdef uint32_t count
    cdef size_t _ref_room
    cdef size_t _chunk_room
    cdef int decode(self, const uint8_t* p, const uint8_t* end, uint32_t symbols) except -1 nogil
    cdef int _body(self, const uint8_t* p, const uint8_t* end, uint32_t symbols) except -2 nogil
    cdef int _grow(self, void** items, size_t* room, size_t needed, size_t width) except -1 nogil
