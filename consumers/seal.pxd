"""One window of a settled store, as a block: symbols, then series in label order, each with its chunks."""

from libc.stdint cimport uint32_t

from consumers.store cimport Store
from tsdb.block_writer cimport BlockWriter

cdef int seal_window(const Store* s, uint32_t ordinal, BlockWriter writer) except -1 nogil
"""Writes symbols and series, but does not finish the writer. Reads the store only, so windows may be sealed at once.

Takes about 130 bytes of memory a series with ten labels, besides what the writer takes. Raises
MemoryError, or what the writer raises.
"""
