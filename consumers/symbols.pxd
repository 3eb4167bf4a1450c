"""The strings of one block: each once, numbered as they come, then ranked by their bytes."""

from libc.stdint cimport uint32_t, uint64_t

from consumers.label_hash cimport HashKey
from consumers.series_table cimport Slot
from tsdb.views cimport Bytes

cdef struct Symbols:
    # Begins zeroed. The strings stay where they are: in the label bytes of a head.
    Bytes* items
    uint32_t count
    uint32_t items_capacity
    Slot* slots
    uint64_t slots_capacity
    const HashKey* key

cdef int symbols_intern(Symbols* s, const Bytes* text, uint32_t* id) noexcept nogil
"""The number of a string, a new one if need be; -1 where memory ran out."""

cdef uint32_t* symbols_rank(Symbols* s) noexcept nogil
"""Puts `items` in ascending order; an array from number to rank, for the caller to free. NULL where memory ran out.

Nothing can be interned afterwards.
"""

cdef void symbols_free(Symbols* s) noexcept nogil
