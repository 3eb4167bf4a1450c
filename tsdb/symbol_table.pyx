from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from tsdb.crc32c cimport crc32c_update
from tsdb.file_writer cimport FileWriter
from tsdb.varint cimport put_be32, put_uvarint, uvarint_size
from tsdb.views cimport Bytes

cdef uint64_t UINT32_MAX = 0xFFFFFFFF

cdef bint _ascending(Bytes a, Bytes b) noexcept nogil:
    cdef int order = memcmp(a.data, b.data, a.size if a.size < b.size else b.size)
    return order < 0 or (order == 0 and a.size < b.size)

cdef class SymbolTable:
    """Filled once; the strings are copied."""

    def __dealloc__(self):
        free(self._entries)
        free(self._starts)

    cdef int fill(self, const Bytes* symbols, uint32_t count) except -1 nogil:
        cdef uint64_t size = 0
        cdef uint32_t i
        cdef uint8_t* p
        for i in range(count):
            if i and not _ascending(symbols[i - 1], symbols[i]):
                with gil:
                    raise ValueError(f"symbols are not ascending and unique: ordinal={i}")
            size += uvarint_size(symbols[i].size) + <uint64_t>symbols[i].size
        if size + 4 > UINT32_MAX:
            with gil:
                raise ValueError(f"symbol table is over the format's limit: bytes={size + 4} limit={UINT32_MAX}")
        self._entries = <uint8_t*>malloc(size + 1)
        self._starts = <uint32_t*>malloc((<size_t>count + 1) * sizeof(uint32_t))
        if self._entries == NULL or self._starts == NULL:
            with gil:
                raise MemoryError
        p = self._entries
        for i in range(count):
            self._starts[i] = <uint32_t>(p - self._entries)
            p = put_uvarint(p, symbols[i].size)
            memcpy(p, symbols[i].data, symbols[i].size)
            p += symbols[i].size
        self._starts[count] = <uint32_t>(p - self._entries)
        self.count = count
        self.begins_empty = count > 0 and symbols[0].size == 0
        return 0

    cdef int write(self, FileWriter file) except -1 nogil:
        cdef uint8_t head[8]
        cdef uint8_t tail[4]
        cdef uint32_t size = self._starts[self.count]
        put_be32(put_be32(head, size + 4), self.count)
        put_be32(tail, crc32c_update(crc32c_update(0, head + 4, 4), self._entries, size))
        file.write(head, 8)
        file.write(self._entries, size)
        file.write(tail, 4)
        return 0
