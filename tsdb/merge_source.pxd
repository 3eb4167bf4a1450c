"""One block as a merge walks it: series by series, ascending, labels as ordinals of the merge's symbols."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tsdb.series_entry cimport SeriesEntry
from tsdb.views cimport ChunkRef

cdef class MergeSource:
    cdef SeriesEntry entry            # the current series; its refs are the merge's
    cdef uint32_t series              # its id
    cdef bint deletes                 # whether any samples of this source are deleted
    cdef dict tombstones
    cdef const uint8_t[::1] _index
    cdef list _segments
    cdef const uint8_t** _segment_data
    cdef uint64_t* _segment_sizes
    cdef uint64_t _segment_count
    cdef const uint32_t[::1] _ids
    cdef Py_ssize_t _position
    cdef uint32_t _symbols
    cdef bint _begins_empty           # whether symbol 0 is the empty string, which no label may use
    cdef uint32_t* _last              # refs of the series before
    cdef uint32_t _last_pairs
    cdef uint32_t _last_room
    cdef int next(self, const uint32_t* ordinals) except -1 nogil
    cdef int chunk(self, uint32_t i, ChunkRef* out) except -1 nogil
    cdef int _remember(self) except -1 nogil

cdef inline int compare_refs(const uint32_t* a, uint32_t a_pairs, const uint32_t* b, uint32_t b_pairs) noexcept nogil:
    """Order of two label sets in ordinals of one symbol table."""
    cdef uint32_t i
    for i in range(2 * (a_pairs if a_pairs < b_pairs else b_pairs)):
        if a[i] != b[i]:
            return 1 if a[i] > b[i] else -1
    return (a_pairs > b_pairs) - (a_pairs < b_pairs)
