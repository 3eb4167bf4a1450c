"""One file written front to back through a buffer of its own, without the GIL."""

from libc.stdint cimport uint8_t, uint64_t

cdef class FileWriter:
    cdef readonly object path
    cdef readonly uint64_t position  # where the next byte goes, buffered bytes included
    cdef int _fd
    cdef uint8_t* _buffer
    cdef size_t _used
    cdef int write(self, const uint8_t* data, size_t size) except -1 nogil
    cdef int align(self, uint64_t alignment) except -1 nogil
    cdef int finish(self) except -1 nogil
    cdef int _flush(self) except -1 nogil
    cdef int _write_through(self, const uint8_t* data, size_t size) except -1 nogil
    cdef int _fail(self) except -1 nogil
