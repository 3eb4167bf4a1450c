import os

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tsdb.crc32c cimport crc32c_update
from tsdb.file_writer cimport FileWriter
from tsdb.varint cimport put_be32, put_uvarint
from tsdb.views cimport ChunkRef

cdef enum:
    HEADER_BYTES = 8
    RECORD_OVERHEAD = 10  # at most: length 5, encoding 1, CRC 4

cdef uint64_t UINT32_MAX = 0xFFFFFFFF
cdef uint64_t SEGMENTS_MAX = 999_999  # a name has six digits

cdef class SegmentWriter:
    """Writes chunk records back to back, beginning a file where the next record could pass `segment_bytes`."""

    def __init__(self, directory, uint64_t segment_bytes):
        if not HEADER_BYTES < segment_bytes <= UINT32_MAX:
            raise ValueError(f"segment size is out of range: segment_bytes={segment_bytes} limit={UINT32_MAX}")
        self._directory = directory
        self._segment_bytes = segment_bytes
        self.names = []

    cdef int write(self, const ChunkRef* chunk, uint64_t* ref) except -1 nogil:
        """Writes one record; `ref` becomes its reference. A record larger than a segment gets a file of its own."""
        cdef uint8_t head[8]
        cdef uint8_t tail[4]
        cdef uint8_t* p
        cdef uint64_t start, size
        if <uint64_t>HEADER_BYTES + RECORD_OVERHEAD + chunk.size > UINT32_MAX:
            with gil:
                raise ValueError(f"chunk is over the format's limit: bytes={chunk.size}")
        if self._started == 0 or (
            self._file.position > HEADER_BYTES
            and self._file.position + RECORD_OVERHEAD + chunk.size > self._segment_bytes
        ):
            self._next_file()
        start = self._file.position
        ref[0] = (self._started - 1) << 32 | start
        p = put_uvarint(head, chunk.size)
        p[0] = chunk.encoding
        put_be32(tail, crc32c_update(crc32c_update(0, p, 1), chunk.data, chunk.size))
        self._file.write(head, <size_t>(p + 1 - head))
        self._file.write(chunk.data, chunk.size)
        self._file.write(tail, 4)
        size = self._file.position - start
        if size > self.chunk_max_size:
            self.chunk_max_size = <uint32_t>size
        return 0

    cdef int finish(self) except -1:
        """Makes the last file durable."""
        with nogil:
            if self._started:
                self._file.finish()
        return 0

    def close(self):
        """Closes the open file as it is; may be called twice."""
        if self._file is not None:
            self._file.close()

    cdef int _next_file(self) except -1 nogil:
        cdef uint8_t header[8]
        if self._started:
            self._file.finish()
        if self._started == SEGMENTS_MAX:
            with gil:
                raise ValueError(f"block has too many segment files: limit={SEGMENTS_MAX}")
        put_be32(header, 0x85BD40DD)
        put_be32(header + 4, 0x01000000)
        self._started += 1
        with gil:
            name = f"{self._started:06d}"
            self.names.append(name)
            self._file = FileWriter(os.path.join(self._directory, name))
        self._file.write(header, HEADER_BYTES)
        return 0
