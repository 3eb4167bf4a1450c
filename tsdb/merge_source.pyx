from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from tsdb.chunk_record cimport ChunkRecord, chunk_record
from tsdb.series_entry cimport SeriesEntry
from tsdb.symbol_reader cimport SymbolReader
from tsdb.views cimport ChunkRef

from tsdb.errors import CorruptBlock

cdef enum:
    ENCODING_XOR = 1
    ENCODING_FLOAT_HISTOGRAM = 3
    SERIES_ALIGNMENT = 16

cdef int _corrupt_chunk(str what, uint64_t ref) except -1:
    raise CorruptBlock(f"chunk {what}: ref={ref:#x}")

cdef class MergeSource:

    def __init__(self, const uint8_t[::1] index not None, list segments not None, ids, SymbolReader symbols not None, dict tombstones):
        """`ids` lie in `index`, a little-endian array of them; `symbols` are the index's."""
        cdef const uint8_t[::1] view
        cdef Py_ssize_t i
        self.entry = SeriesEntry()
        self.tombstones = tombstones
        self.deletes = bool(tombstones)
        self._index = index
        self._segments = segments
        self._ids = ids
        self._symbols = symbols.count
        self._begins_empty = symbols.count > 0 and symbols.at(0).size == 0
        self._segment_count = len(segments)
        self._segment_data = <const uint8_t**>malloc(len(segments) * sizeof(uint8_t*) + 1)
        self._segment_sizes = <uint64_t*>malloc(len(segments) * sizeof(uint64_t) + 1)
        if self._segment_data == NULL or self._segment_sizes == NULL:
            raise MemoryError
        for i in range(len(segments)):
            view = segments[i]
            self._segment_data[i] = &view[0] if view.shape[0] else NULL
            self._segment_sizes[i] = view.shape[0]

    def __dealloc__(self):
        free(self._segment_data)
        free(self._segment_sizes)
        free(self._last)

    cdef int next(self, const uint32_t* ordinals) except -1 nogil:
        """Goes to the next series: 1, or 0 behind the last. CorruptBlock where series do not ascend."""
        cdef const uint8_t* begin
        cdef uint64_t start
        cdef uint32_t i
        if self._position == self._ids.shape[0]:
            return 0
        if self._position:
            self._remember()
        self.series = self._ids[self._position]
        self._position += 1
        start = <uint64_t>self.series * SERIES_ALIGNMENT
        if start >= <uint64_t>self._index.shape[0]:
            with gil:
                raise CorruptBlock(f"series lies behind the index: series={self.series}")
        begin = &self._index[0]
        self.entry.decode(begin + start, begin + self._index.shape[0], self._symbols)
        for i in range(2 * self.entry.pairs):
            if self._begins_empty and self.entry.refs[i] == 0:
                with gil:
                    raise CorruptBlock(f"label has an empty name or value: series={self.series}")
            self.entry.refs[i] = ordinals[self.entry.refs[i]]
        if compare_refs(self.entry.refs, self.entry.pairs, self._last, self._last_pairs) <= 0:
            with gil:
                raise CorruptBlock(f"series are not ascending: series={self.series}")
        return 1

    cdef int chunk(self, uint32_t i, ChunkRef* out) except -1 nogil:
        """A view of one chunk of the current series, its checksum verified."""
        cdef ChunkRecord record = ChunkRecord(NULL, 0, 0)
        cdef uint64_t ref = self.entry.chunks[i].ref
        cdef uint64_t segment = ref >> 32
        cdef uint64_t offset = ref & UINT32_MAX
        cdef int status
        if segment >= self._segment_count or offset >= self._segment_sizes[segment]:
            with gil:
                _corrupt_chunk("lies behind its segment file", ref)
        status = chunk_record(
            self._segment_data[segment] + offset,
            self._segment_data[segment] + self._segment_sizes[segment],
            &record,
        )
        if status < 0:
            with gil:
                _corrupt_chunk("is cut short" if status == -1 else "fails its checksum", ref)
        if not ENCODING_XOR <= record.encoding <= ENCODING_FLOAT_HISTOGRAM or record.size < 2:
            with gil:
                _corrupt_chunk(f"cannot be merged (encoding={record.encoding} bytes={record.size})", ref)
        out.mint = self.entry.chunks[i].mint
        out.maxt = self.entry.chunks[i].maxt
        out.data = record.data
        out.size = record.size
        out.samples = (<uint32_t>record.data[0] << 8) | record.data[1]
        out.encoding = record.encoding
        if out.samples == 0:
            with gil:
                _corrupt_chunk("holds no samples", ref)
        return 0

    cdef int _remember(self) except -1 nogil:
        cdef void* moved
        if self.entry.pairs > self._last_room:
            moved = realloc(self._last, <size_t>self.entry.pairs * 4 * sizeof(uint32_t))
            if moved == NULL:
                with gil:
                    raise MemoryError
            self._last = <uint32_t*>moved
            self._last_room = self.entry.pairs * 2
        memcpy(self._last, self.entry.refs, <size_t>self.entry.pairs * 2 * sizeof(uint32_t))
        self._last_pairs = self.entry.pairs
        return 0
