from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc

from tsdb.crc32c cimport crc32c_update
from tsdb.symbol_reader cimport SymbolReader
from tsdb.varint cimport be32, get_uvarint, get_varint

from tsdb.errors import CorruptBlock

cdef enum:
    LABEL_BYTES = 2   # at least: two symbols
    CHUNK_BYTES = 3   # at least: two times and a reference

cdef int _corrupt(str what) except -1:
    raise CorruptBlock(f"series entry {what}")

cdef int _add(int64_t a, uint64_t b, int64_t* out) noexcept nogil:
    """a + b, or -1 where it is no 64-bit time."""
    if b > <uint64_t>INT64_MAX - <uint64_t>a:
        return -1
    out[0] = <int64_t>(<uint64_t>a + b)
    return 0

def entry_size(const uint8_t[::1] data not None):
    cdef uint64_t size = 0
    cdef const uint8_t* p = NULL
    if data.shape[0]:
        p = get_uvarint(&data[0], &data[0] + data.shape[0], &size)
    if p == NULL or size >> 32:
        _corrupt("has no length")
    return (p - &data[0]) + <object>size + 4

cdef class SeriesEntry:

    def __dealloc__(self):
        free(self.refs)
        free(self.chunks)

    def read(self, const uint8_t[::1] data not None, SymbolReader symbols not None):
        cdef uint32_t i
        if data.shape[0] == 0:
            _corrupt("is cut short")
        self.decode(&data[0], &data[0] + data.shape[0], symbols.count)
        return (
            tuple([
                (symbols.lookup(self.refs[2 * i]), symbols.lookup(self.refs[2 * i + 1])) for i in range(self.pairs)
            ]),
            [(self.chunks[i].mint, self.chunks[i].maxt, self.chunks[i].ref) for i in range(self.count)],
        )

    cdef int decode(self, const uint8_t* p, const uint8_t* end, uint32_t symbols) except -1 nogil:
        """Decodes the entry at `p`; every reference in it is below `symbols`, and names ascend."""
        cdef uint64_t size = 0
        p = get_uvarint(p, end, &size)
        if p == NULL or end - p < 4 or size > <uint64_t>(end - p - 4):
            with gil:
                _corrupt("is cut short")
        if crc32c_update(0, p, size) != be32(p + size):
            with gil:
                _corrupt("fails its checksum")
        if self._body(p, p + size, symbols) < 0:
            with gil:
                _corrupt("contradicts itself")
        return 0

    cdef int _body(self, const uint8_t* p, const uint8_t* end, uint32_t symbols) except -2 nogil:
        cdef uint64_t number, value
        cdef uint64_t pairs = 0
        cdef uint64_t count = 0
        cdef int64_t difference
        cdef uint64_t i
        cdef ChunkPlace* chunk
        p = get_uvarint(p, end, &pairs)
        if p == NULL or pairs == 0 or pairs > <uint64_t>(end - p) // LABEL_BYTES:
            return -1
        if pairs * 2 > self._ref_room:
            self._grow(<void**>&self.refs, &self._ref_room, pairs * 2, sizeof(uint32_t))
        for i in range(2 * pairs):
            p = get_uvarint(p, end, &value)
            if p == NULL or value >= symbols or (i >= 2 and i % 2 == 0 and value <= self.refs[i - 2]):
                return -1
            self.refs[i] = <uint32_t>value
        self.pairs = <uint32_t>pairs
        p = get_uvarint(p, end, &count)
        if p == NULL or count > <uint64_t>(end - p) // CHUNK_BYTES:
            return -1
        if count > self._chunk_room:
            self._grow(<void**>&self.chunks, &self._chunk_room, count, sizeof(ChunkPlace))
        for i in range(count):
            chunk = &self.chunks[i]
            if i == 0:
                p = get_varint(p, end, &chunk.mint)
            else:
                p = get_uvarint(p, end, &number)
                if p == NULL or _add(self.chunks[i - 1].maxt, number, &chunk.mint) < 0:
                    return -1
            if p != NULL:
                p = get_uvarint(p, end, &number)
            if p == NULL or _add(chunk.mint, number, &chunk.maxt) < 0:
                return -1
            if i == 0:
                p = get_uvarint(p, end, &chunk.ref)
            else:
                p = get_varint(p, end, &difference)
                if p != NULL:
                    chunk.ref = self.chunks[i - 1].ref + <uint64_t>difference
            if p == NULL:
                return -1
        self.count = <uint32_t>count
        return 0 if p == end else -1

    cdef int _grow(self, void** items, size_t* room, size_t needed, size_t width) except -1 nogil:
        cdef void* moved = realloc(items[0], needed * 2 * width)
        if moved == NULL:
            with gil:
                raise MemoryError
        items[0] = moved
        room[0] = needed * 2
        return 0
