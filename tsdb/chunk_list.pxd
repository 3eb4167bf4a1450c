"""Finished chunks in C memory, as encoders hand them to block writers."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef struct EncodedChunk:
    int64_t mint      # both times inclusive
    int64_t maxt
    uint8_t* data     # malloc'ed payload; the list owns it
    uint32_t size
    uint32_t samples
    uint8_t encoding

cdef struct ChunkList:
    # Begins zeroed. Whoever holds it frees it, after an encoder's failure too.
    EncodedChunk* items
    uint32_t count
    uint32_t capacity

cdef inline void chunk_list_free(ChunkList* list) noexcept nogil:
    """Gives all memory back and leaves the list empty and usable; may be called twice."""
    cdef uint32_t i
    for i in range(list.count):
        free(list.items[i].data)
    free(list.items)
    list.items = NULL
    list.count = 0
    list.capacity = 0

cdef inline int chunk_list_append(
    ChunkList* list,
    uint8_t encoding,
    int64_t mint,
    int64_t maxt,
    uint32_t samples,
    const uint8_t* data,
    uint32_t size,
) noexcept nogil:
    """Copies one payload in; -1 where memory ran out, the list is then as it was."""
    cdef EncodedChunk* items
    cdef uint32_t capacity
    cdef uint8_t* copy
    if list.count == list.capacity:
        capacity = 2 * list.capacity if list.capacity else 4
        items = <EncodedChunk*>realloc(list.items, <size_t>capacity * sizeof(EncodedChunk))
        if items == NULL:
            return -1
        list.items = items
        list.capacity = capacity
    copy = <uint8_t*>malloc(size if size else 1)
    if copy == NULL:
        return -1
    memcpy(copy, data, size)
    list.items[list.count] = EncodedChunk(mint, maxt, copy, size, samples, encoding)
    list.count += 1
    return 0
