"""Pieces of a request's body: its fields one by one, with the tenant that each goes to."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free

from wire.plan cimport _grown

cdef struct Piece:
    uint32_t start        # of the field's payload, in the body
    uint32_t end
    uint32_t cut_start    # what is left out of the payload
    uint32_t cut_size
    uint32_t tenant       # its number
    uint32_t field        # of the message

cdef struct Pieces:
    # Begins zeroed.
    Piece* found
    size_t count
    size_t room

cdef inline Piece* add_piece(Pieces* pieces) noexcept nogil:
    """A new one at the end, for the caller to fill; NULL without memory."""
    cdef void* found = _grown(pieces.found, &pieces.room, pieces.count + 1, sizeof(Piece))
    if found == NULL:
        return NULL
    pieces.found = <Piece*>found
    pieces.count += 1
    return &pieces.found[pieces.count - 1]

cdef inline void pieces_free(Pieces* pieces) noexcept nogil:
    free(pieces.found)
    pieces.found = NULL
