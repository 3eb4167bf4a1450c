"""A version 2 record as one of version 1 that says the same, for whoever reads records and has no head."""

from libc.stdint cimport uint8_t

from consumers.record cimport Record

cdef size_t expansion_bound(const Record* r, size_t size) noexcept nogil
"""Most bytes that `write_expansion` needs, of a record whose hashes are resolved."""

cdef uint8_t* write_expansion(const Record* r, const uint8_t* data, size_t size, uint8_t* out) noexcept nogil
"""Writes the value of version 1; returns its end."""
