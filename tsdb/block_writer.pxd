"""Streaming writer of one block's `index` and `chunks/NNNNNN`: symbols first, then series in ascending label order."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef struct ChunkRef:
    # A chunk payload somewhere in memory; it must stay there until `add_series` returns.
    int64_t mint
    int64_t maxt
    const uint8_t* data
    uint32_t size
    uint32_t samples
    uint8_t encoding

cdef struct Bytes:
    const uint8_t* data
    uint32_t size

cdef class BlockWriter:
    cdef int set_symbols(self, const Bytes* symbols, uint32_t count) except -1 nogil
    cdef int add_series(self, const uint32_t* refs, uint32_t pairs, const ChunkRef* chunks, uint32_t count) except -1 nogil
