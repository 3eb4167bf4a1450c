"""What version 2 records teach a head: label sets by their hash. One thread at a time, as the store itself."""

from libc.stdint cimport uint64_t

from consumers.record cimport Record
from consumers.store cimport Store

cdef int store_teach(Store* s, Record* r, uint64_t offset) noexcept nogil
"""Checks a version 2 record's labels and learns all of them, or none: RECORD_OK, RECORD_NO_MEMORY, or a reason of
`wire.canonical`. Labelled entries have their series afterwards."""

cdef int store_resolve_hashed(Store* s, Record* r) noexcept nogil
"""Finds the series that are named by hash: RECORD_OK, or RECORD_UNKNOWN_LABELS with `at` at the first that is unknown."""

cdef int store_inherit(Store* s, const Store* old, uint64_t since) noexcept nogil
"""An empty store learns what the other was taught at offset `since` or later. -1: no memory; close it then."""
