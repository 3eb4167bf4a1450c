from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from tsdb.crc32c cimport crc32c_update
from tsdb.file_writer cimport FileWriter
from tsdb.postings_builder cimport PostingsBuilder
from tsdb.symbol_table cimport SymbolTable
from tsdb.varint cimport put_be32, put_be64, put_uvarint, put_varint
from tsdb.views cimport Bytes, ChunkRef

cdef enum:
    MAGIC_BYTES = 5
    ENTRY_HEAD = 5           # room for the body's length, which is known last
    LABEL_BYTES = 10         # at most: two symbols below 2^32
    CHUNK_BYTES = 30         # at most: three 64-bit varints
    SERIES_ALIGNMENT = 16

cdef uint64_t UINT32_MAX = 0xFFFFFFFF

cdef class IndexWriter:
    """`set_symbols` once, then `add` for each series in ascending order, then `finish`; ValueError where that is broken."""

    def __init__(self, path):
        self.symbols = SymbolTable()
        self._postings = PostingsBuilder()
        self._file = FileWriter(path)

    def __dealloc__(self):
        free(self._entry)
        free(self._last)

    cdef int set_symbols(self, const Bytes* symbols, uint32_t count) except -1 nogil:
        cdef uint8_t magic[MAGIC_BYTES]
        put_be32(magic, 0xBAAAD700)
        magic[4] = 2
        self.symbols.fill(symbols, count)
        self._file.write(magic, MAGIC_BYTES)
        with gil:
            self.symbols.write(self._file)
        self._series_begin = self._file.position
        return 0

    cdef int check_labels(self, const uint32_t* refs, uint32_t pairs) except -1 nogil:
        """Whether these labels may be the next series; ValueError where not."""
        cdef uint32_t i
        if pairs == 0:
            with gil:
                raise ValueError("series has no labels")
        for i in range(2 * pairs):
            if refs[i] >= self.symbols.count:
                with gil:
                    raise ValueError(f"label names no symbol: ordinal={refs[i]} symbols={self.symbols.count}")
            if refs[i] == 0 and self.symbols.begins_empty:
                with gil:
                    raise ValueError("label has an empty name or value")
        for i in range(1, pairs):
            if refs[2 * i] <= refs[2 * i - 2]:
                with gil:
                    raise ValueError(f"label names are not ascending and unique: position={i}")
        if not self._follows(refs, pairs):
            with gil:
                raise ValueError("series are not ascending and unique")
        return 0

    cdef int add(
        self, const uint32_t* refs, uint32_t pairs, const ChunkRef* chunks, const uint64_t* places, uint32_t count
    ) except -1 nogil:
        """Writes one series whose labels were checked; `places` are the references of its chunks."""
        cdef size_t room = ENTRY_HEAD + 20 + <size_t>LABEL_BYTES * pairs + <size_t>CHUNK_BYTES * count + 4
        cdef void* moved
        cdef uint8_t head[5]
        cdef uint8_t* begin
        cdef uint8_t* p
        cdef uint64_t id
        cdef uint32_t i, size
        if room > self._entry_room:
            moved = realloc(self._entry, room * 2)
            if moved == NULL:
                with gil:
                    raise MemoryError
            self._entry = <uint8_t*>moved
            self._entry_room = room * 2
        begin = self._entry + ENTRY_HEAD
        p = put_uvarint(begin, pairs)
        for i in range(2 * pairs):
            p = put_uvarint(p, refs[i])
        p = put_uvarint(p, count)
        for i in range(count):
            if i == 0:
                p = put_varint(p, chunks[0].mint)
            else:
                p = put_uvarint(p, <uint64_t>chunks[i].mint - <uint64_t>chunks[i - 1].maxt)
            p = put_uvarint(p, <uint64_t>chunks[i].maxt - <uint64_t>chunks[i].mint)
            if i == 0:
                p = put_uvarint(p, places[0])
            else:
                p = put_varint(p, <int64_t>(places[i] - places[i - 1]))
        if <uint64_t>(p - begin) + ENTRY_HEAD + 4 > UINT32_MAX:
            with gil:
                raise ValueError(f"series entry is over the format's limit: bytes={p - begin}")
        size = <uint32_t>(p - begin)
        put_be32(p, crc32c_update(0, begin, size))
        i = <uint32_t>(put_uvarint(head, size) - head)
        memcpy(begin - i, head, i)
        size += i + 4
        self._file.align(SERIES_ALIGNMENT)
        id = self._file.position // SERIES_ALIGNMENT
        if id > UINT32_MAX:
            with gil:
                raise ValueError(f"index is over the format's limit: bytes={self._file.position}")
        self._file.write(begin - i, size)
        self._postings.add(<uint32_t>id, refs, pairs)
        if size > self.series_max_size:
            self.series_max_size = size
        if pairs > self._last_room:
            moved = realloc(self._last, <size_t>pairs * 4 * sizeof(uint32_t))
            if moved == NULL:
                with gil:
                    raise MemoryError
            self._last = <uint32_t*>moved
            self._last_room = 2 * pairs
        memcpy(self._last, refs, <size_t>pairs * 2 * sizeof(uint32_t))
        self._last_pairs = pairs
        return 0

    cdef int finish(self) except -1:
        """Writes lists, table and TOC, and makes the file durable."""
        cdef FileWriter file = self._file
        cdef PostingsBuilder postings = self._postings
        cdef SymbolTable symbols = self.symbols
        cdef uint64_t series_end = file.position
        cdef uint64_t first_list, table
        cdef uint8_t toc[52]
        cdef uint8_t* p = toc
        with nogil:
            file.align(4)
            first_list = file.position
            postings.write_lists(file)
            table = file.position
            postings.write_table(file, symbols, first_list)
            p = put_be64(p, MAGIC_BYTES)
            p = put_be64(p, self._series_begin)
            p = put_be64(p, series_end)
            p = put_be64(p, table)
            p = put_be64(p, series_end)
            p = put_be64(p, table)
            put_be32(p, crc32c_update(0, toc, 48))
            file.write(toc, 52)
            file.finish()
        return 0

    def close(self):
        """Closes the file as it is; may be called twice."""
        self._file.close()

    cdef bint _follows(self, const uint32_t* refs, uint32_t pairs) noexcept nogil:
        """Whether a label set is greater than the last one: symbols ascend, so their ordinals compare as strings do."""
        cdef uint32_t i
        for i in range(2 * (pairs if pairs < self._last_pairs else self._last_pairs)):
            if refs[i] != self._last[i]:
                return refs[i] > self._last[i]
        return pairs > self._last_pairs
