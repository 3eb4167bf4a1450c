"""Sorting late samples in: one window's samples in time order, repeats decided, encoded anew."""

from libc.stdint cimport uint64_t

from consumers.arena cimport Arena
from consumers.window cimport Window
from tsdb.chunk_list cimport ChunkList

cdef struct Repeats:
    uint64_t duplicate       # said the same as the sample that stands at their time
    uint64_t conflicting     # said something else

cdef int window_merge(const Window* w, ChunkList* out, Repeats* repeats) noexcept nogil
"""Appends the window's chunks as `window_settle` would leave them; the window is not touched. -1: no memory."""

cdef int window_settle(Arena* a, Window* w, Repeats* repeats) noexcept nogil
"""Replaces chunks and late samples by the merged chunks. -1: no memory, the window is then as it was."""
