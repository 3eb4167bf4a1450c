import os

from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cdef extern from "<unistd.h>" nogil:
    ssize_t c_write "write"(int fd, const void* data, size_t size)
    int fsync(int fd)
    int c_close "close"(int fd)

cdef size_t BUFFER_BYTES = 256 << 10

cdef class FileWriter:
    """Creates `path`, which must not exist. Errors are OSErrors with the path; after one the writer is of no use."""

    def __cinit__(self, path):
        self._fd = -1
        self._buffer = <uint8_t*>malloc(BUFFER_BYTES)
        if self._buffer == NULL:
            raise MemoryError

    def __init__(self, path):
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def __dealloc__(self):
        if self._fd >= 0:
            c_close(self._fd)
        free(self._buffer)

    cdef int write(self, const uint8_t* data, size_t size) except -1 nogil:
        if size > BUFFER_BYTES - self._used:
            self._flush()
            if size >= BUFFER_BYTES:
                self._write_through(data, size)
                self.position += size
                return 0
        memcpy(self._buffer + self._used, data, size)
        self._used += size
        self.position += size
        return 0

    cdef int align(self, uint64_t alignment) except -1 nogil:
        """Zero bytes up to the next multiple of `alignment` (a power of two, 64 at most)."""
        cdef uint8_t zeros[64]
        cdef size_t size = <size_t>(-self.position & (alignment - 1))
        memset(zeros, 0, 64)
        return self.write(zeros, size)

    cdef int finish(self) except -1 nogil:
        """Flushes, fsyncs and closes; the file is durable, its directory entry is not."""
        cdef int fd = self._fd
        self._flush()
        while fsync(fd) < 0:
            if errno != EINTR:
                self._fail()
        self._fd = -1
        if c_close(fd) < 0:
            self._fail()
        return 0

    def close(self):
        """Closes without writing what is buffered; may be called twice."""
        cdef int fd = self._fd
        self._fd = -1
        if fd >= 0:
            os.close(fd)

    cdef int _flush(self) except -1 nogil:
        self._write_through(self._buffer, self._used)
        self._used = 0
        return 0

    cdef int _write_through(self, const uint8_t* data, size_t size) except -1 nogil:
        cdef ssize_t written
        while size:
            written = c_write(self._fd, data, size)
            if written < 0:
                if errno == EINTR:
                    continue
                self._fail()
            data += written
            size -= <size_t>written
        return 0

    cdef int _fail(self) except -1 nogil:
        cdef int code = errno
        with gil:
            raise OSError(code, os.strerror(code), str(self.path))
