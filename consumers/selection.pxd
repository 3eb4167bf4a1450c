"""Series of an open store that pass matchers, copied out while appends go on."""

from cpython.pythread cimport PyThread_type_lock
from libc.stdint cimport int64_t, uint32_t

from consumers.store cimport Store
from tsdb.views cimport Bytes

cdef struct Condition:
    # An equality matcher: the label's value equals `value`, or does not.
    Bytes name
    Bytes value
    bint equal

cdef class Selection:
    # An iterator of SeriesChunks, for one thread.
    cdef object _owner           # keeps the store and its lock
    cdef const Store* _store
    cdef PyThread_type_lock _lock
    cdef list _texts             # what the conditions point into
    cdef Condition* _conditions
    cdef uint32_t _conditions_count
    cdef list _patterns          # (label name, matcher, what it said of values seen)
    cdef int64_t _mint
    cdef int64_t _maxt
    cdef uint32_t _at            # the next series to look at
    cdef list _ready
    cdef const unsigned char* _labels   # of the series made ready last, and
    cdef tuple _pairs                   # as it was given out
    cdef bint _scan(self) except -1
    cdef bint _passes(self, const unsigned char* labels) except -1

cdef Selection selection_open(
    object owner, const Store* store, PyThread_type_lock lock, object matchers, int64_t mint, int64_t maxt
)
