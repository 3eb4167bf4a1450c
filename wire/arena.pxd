"""Memory that is given out piece by piece and taken back all at once; pieces stay where they are."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

cdef enum:
    ARENA_BLOCK = 16384

cdef struct Block:
    Block* next
    size_t used
    size_t room

cdef struct Arena:
    # Begins zeroed.
    Block* first    # the newest
    size_t bytes    # of all blocks

cdef inline uint8_t* arena_take(Arena* arena, size_t size) noexcept nogil:
    """`size` bytes on a boundary of 8; NULL without memory."""
    cdef Block* block = arena.first
    cdef size_t room
    cdef uint8_t* piece
    size = (size + 7) & ~<size_t>7
    if block == NULL or block.room - block.used < size:
        room = size if size > ARENA_BLOCK else ARENA_BLOCK
        block = <Block*>malloc(sizeof(Block) + room)
        if block == NULL:
            return NULL
        block.next = arena.first
        block.used = 0
        block.room = room
        arena.first = block
        arena.bytes += sizeof(Block) + room
    piece = <uint8_t*>block + sizeof(Block) + block.used
    block.used += size
    return piece

cdef inline void arena_free(Arena* arena) noexcept nogil:
    cdef Block* block
    while arena.first != NULL:
        block = arena.first
        arena.first = block.next
        free(block)
    arena.bytes = 0

cdef inline void arena_reset(Arena* arena) noexcept nogil:
    """Takes every piece back, and keeps one block of the usual size for the next ones."""
    cdef Block* kept = arena.first
    if kept == NULL:
        return
    if kept.next != NULL or kept.room != ARENA_BLOCK:
        arena_free(arena)
    else:
        kept.used = 0
