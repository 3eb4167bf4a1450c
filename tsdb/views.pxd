"""Views of memory that somebody else owns, as kernels hand them to each other."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef struct Bytes:
    const uint8_t* data
    uint32_t size

cdef struct ChunkRef:
    # A chunk payload somewhere in memory; it must stay there until `add_series` returns.
    int64_t mint
    int64_t maxt
    const uint8_t* data
    uint32_t size
    uint32_t samples
    uint8_t encoding
