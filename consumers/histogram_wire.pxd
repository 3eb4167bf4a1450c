"""Histogram messages of a record as the structs that chunks are made from."""

from libc.stdint cimport uint8_t, uint32_t

from tsdb.histogram cimport Histogram

cdef enum:
    HISTOGRAM_OK = 0
    HISTOGRAM_NO_MEMORY = -1
    HISTOGRAM_INVALID = -2

cdef int histogram_read(const uint8_t* data, uint32_t size, Histogram* out) noexcept nogil
"""Decodes one message. HISTOGRAM_INVALID: not one, or none that a chunk can hold: its spans do not cover its buckets
exactly, its schema is unknown, its custom bounds are not ascending.

Spans, buckets and bounds lie in one allocation that `histogram_free` gives back; there is none after a failure.
"""

cdef void histogram_free(Histogram* h) noexcept nogil

cdef bint histogram_same(const Histogram* a, const Histogram* b) noexcept nogil
"""Whether two samples say the same, bit by bit: layouts may differ in empty buckets, hints in what is not a gauge.

Two stale markers of one kind are the same whatever else they carry: a chunk keeps nothing else of them.
"""
