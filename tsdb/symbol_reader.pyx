from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from tsdb.crc32c cimport crc32c_update
from tsdb.varint cimport be32, get_uvarint
from tsdb.views cimport Bytes

from tsdb.errors import CorruptBlock

cdef class SymbolReader:

    def __init__(self, const uint8_t[::1] section not None):
        cdef size_t size = section.shape[0]
        if size < 12 or be32(&section[0]) != size - 8:
            raise CorruptBlock(f"symbol table is cut short: bytes={size}")
        if crc32c_update(0, &section[4], size - 8) != be32(&section[size - 4]):
            raise CorruptBlock("symbol table fails its checksum")
        self._section = section
        self.count = be32(&section[4])
        if self.count > size - 12:  # each takes a byte at least, so the memory below is bounded by the input's size
            raise CorruptBlock(f"symbol table says more than it holds: symbols={self.count} bytes={size}")
        self._starts = <uint32_t*>malloc(<size_t>self.count * sizeof(uint32_t) + 1)
        if self._starts == NULL:
            raise MemoryError
        if self._index() < 0:
            raise CorruptBlock("symbol table is not ascending, or a symbol passes its end")

    def __dealloc__(self):
        free(self._starts)

    def lookup(self, uint32_t ordinal):
        cdef Bytes symbol
        if ordinal >= self.count:
            raise IndexError(f"no such symbol: ordinal={ordinal} symbols={self.count}")
        symbol = self.at(ordinal)
        return (<const char*>symbol.data)[:symbol.size]

    cdef Bytes at(self, uint32_t ordinal) noexcept nogil:
        """One symbol; `ordinal` must be below `count`."""
        cdef Bytes symbol
        cdef uint64_t size = 0
        symbol.data = get_uvarint(
            &self._section[self._starts[ordinal]], &self._section[0] + self._section.shape[0], &size
        )
        symbol.size = <uint32_t>size
        return symbol

    cdef int _index(self) noexcept:
        cdef const uint8_t* begin = &self._section[0]
        cdef const uint8_t* end = begin + self._section.shape[0] - 4
        cdef const uint8_t* p = begin + 8
        cdef const uint8_t* before = NULL
        cdef uint64_t size = 0
        cdef uint64_t size_before = 0
        cdef uint32_t i
        cdef int order
        with nogil:
            for i in range(self.count):
                self._starts[i] = <uint32_t>(p - begin)
                p = get_uvarint(p, end, &size)
                if p == NULL or size > <uint64_t>(end - p):
                    return -1
                if i:
                    order = memcmp(before, p, size_before if size_before < size else size)
                    if order > 0 or (order == 0 and size_before >= size):
                        return -1
                before = p
                size_before = size
                p += size
        return 0
