"""Multikey quicksort: items that are sequences of 64-bit keys, in ascending order. Bentley and Sedgewick (1997).

Keys of one depth are fetched once and lie beside the items, so a comparison does not go to memory. No two items may
be equal: then the order does not depend on the pivots, which are random so that no input makes it quadratic.
"""

from libc.stdint cimport uint32_t, uint64_t

ctypedef uint64_t (*KeyAt)(const void* context, uint32_t id, uint32_t depth) noexcept nogil

cdef struct SortItem:
    uint64_t key
    uint32_t id

cdef void multikey_sort(SortItem* items, uint32_t n, KeyAt key, const void* context, uint64_t seed) noexcept nogil
"""Sorts by key(context, id, 0), then by that of depth 1, and so on; `seed` may be anything."""
