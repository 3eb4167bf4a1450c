from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp

from tsdb.symbol_reader cimport SymbolReader
from tsdb.views cimport Bytes

cdef int _compare(Bytes a, Bytes b) noexcept nogil:
    cdef int order = memcmp(a.data, b.data, a.size if a.size < b.size else b.size)
    if order:
        return order
    return (a.size > b.size) - (a.size < b.size)

cdef class SymbolUnion:
    """Made once from a sequence of SymbolReaders."""

    def __init__(self, readers):
        cdef SymbolReader reader
        cdef uint64_t total = 0
        cdef Py_ssize_t i
        self._held = tuple(readers)
        self._sources = len(self._held)
        self.ordinals = <uint32_t**>calloc(self._sources + 1, sizeof(uint32_t*))
        self._counts = <uint32_t*>malloc((self._sources + 1) * sizeof(uint32_t))
        if self.ordinals == NULL or self._counts == NULL:
            raise MemoryError
        for i in range(self._sources):
            reader = self._held[i]
            total += reader.count
            self._counts[i] = reader.count
            self.ordinals[i] = <uint32_t*>malloc(<size_t>reader.count * sizeof(uint32_t) + 1)
            if self.ordinals[i] == NULL:
                raise MemoryError
        self.symbols = <Bytes*>malloc(total * sizeof(Bytes) + 1)
        if self.symbols == NULL:
            raise MemoryError
        self._merge()

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.ordinals != NULL:
            for i in range(self._sources):
                free(self.ordinals[i])
        free(self.ordinals)
        free(self._counts)
        free(self.symbols)

    cdef int _merge(self) except -1:
        """Steps through all sources at once; a step costs one comparison a source."""
        cdef uint32_t* positions = <uint32_t*>calloc(self._sources + 1, sizeof(uint32_t))
        cdef Bytes* heads = <Bytes*>malloc((self._sources + 1) * sizeof(Bytes))
        cdef SymbolReader reader
        cdef Bytes least
        cdef bint found
        cdef Py_ssize_t i
        try:
            if positions == NULL or heads == NULL:
                raise MemoryError
            for i in range(self._sources):
                reader = self._held[i]
                if reader.count:
                    heads[i] = reader.at(0)
            while True:
                found = False
                for i in range(self._sources):
                    if positions[i] < self._counts[i] and (not found or _compare(heads[i], least) < 0):
                        least = heads[i]
                        found = True
                if not found:
                    return 0
                if self.count == UINT32_MAX:
                    raise ValueError(f"sources have too many symbols: limit={UINT32_MAX}")
                for i in range(self._sources):
                    if positions[i] < self._counts[i] and _compare(heads[i], least) == 0:
                        self.ordinals[i][positions[i]] = self.count
                        positions[i] += 1
                        if positions[i] < self._counts[i]:
                            heads[i] = (<SymbolReader>self._held[i]).at(positions[i])
                self.symbols[self.count] = least
                self.count += 1
        finally:
            free(positions)
            free(heads)
