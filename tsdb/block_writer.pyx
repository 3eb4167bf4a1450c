import os
from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc

from tsdb.index_writer cimport IndexWriter
from tsdb.segment_writer cimport SegmentWriter
from tsdb.views cimport Bytes, ChunkRef

cdef enum:
    ENCODING_XOR = 1
    ENCODING_FLOAT_HISTOGRAM = 3
    SAMPLES_MAX = 0xFFFF  # the count field of a chunk

BlockStats = namedtuple(
    "BlockStats",
    "series chunks samples float_samples histogram_samples min_time max_time series_max_size chunk_max_size"
    " segment_files",
    module="tsdb.block_writer",
)

cdef int _view(bytes text, Bytes* out) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    if size > 0xFFFFFFFF:
        raise ValueError(f"string is over the format's limit: bytes={size}")
    out.data = <const uint8_t*>PyBytes_AS_STRING(text)
    out.size = <uint32_t>size
    return 0

cdef void _sync_directory(path) except *:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

cdef class BlockWriter:

    def __init__(self, directory, *, segment_bytes=512 << 20):
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise ValueError(f"block directory is not empty: path={directory}")
        chunks = os.path.join(directory, "chunks")
        self._directory = directory
        self._segments = SegmentWriter(chunks, segment_bytes)
        os.mkdir(chunks)
        self._index = IndexWriter(os.path.join(directory, "index"))
        self._min_time = INT64_MAX
        self._max_time = INT64_MIN
        self._open = True

    def __dealloc__(self):
        free(self._places)

    cdef int set_symbols(self, const Bytes* symbols, uint32_t count) except -1 nogil:
        if self._has_symbols or not self._open:
            with gil:
                raise ValueError("symbols come once and first")
        self._index.set_symbols(symbols, count)
        self._has_symbols = True
        return 0

    cdef int add_series(
        self, const uint32_t* refs, uint32_t pairs, const ChunkRef* chunks, uint32_t count
    ) except -1 nogil:
        cdef void* moved
        cdef uint32_t i
        if not self._has_symbols or not self._open:
            with gil:
                raise ValueError("series come after symbols, before finish, and not after an error")
        self._open = False  # an error leaves it so
        self._index.check_labels(refs, pairs)
        self._check_chunks(chunks, count)
        if count > self._place_room:
            moved = realloc(self._places, <size_t>count * 2 * sizeof(uint64_t))
            if moved == NULL:
                with gil:
                    raise MemoryError
            self._places = <uint64_t*>moved
            self._place_room = count * 2
        for i in range(count):
            self._segments.write(&chunks[i], &self._places[i])
            if chunks[i].encoding == ENCODING_XOR:
                self._float_samples += chunks[i].samples
            else:
                self._histogram_samples += chunks[i].samples
        self._index.add(refs, pairs, chunks, self._places, count)
        if chunks[0].mint < self._min_time:
            self._min_time = chunks[0].mint
        if chunks[count - 1].maxt > self._max_time:
            self._max_time = chunks[count - 1].maxt
        self._series += 1
        self._chunks += count
        self._open = True
        return 0

    cdef int _check_chunks(self, const ChunkRef* chunks, uint32_t count) except -1 nogil:
        cdef uint32_t i
        if count == 0:
            with gil:
                raise ValueError("series has no chunks")
        for i in range(count):
            if not ENCODING_XOR <= chunks[i].encoding <= ENCODING_FLOAT_HISTOGRAM:
                with gil:
                    raise ValueError(f"chunk encoding does not belong in a raw block: encoding={chunks[i].encoding}")
            if not 0 < chunks[i].samples <= SAMPLES_MAX:
                with gil:
                    raise ValueError(f"chunk's sample count is out of range: samples={chunks[i].samples}")
            if chunks[i].maxt < chunks[i].mint or (i and chunks[i].mint <= chunks[i - 1].maxt):
                with gil:
                    raise ValueError(f"chunks are not ascending and apart: mint={chunks[i].mint} maxt={chunks[i].maxt}")
        return 0

    def add_symbols(self, symbols):
        cdef list held = list(symbols)
        cdef size_t count = len(held)
        cdef size_t i
        cdef Bytes* views
        if count > 0xFFFFFFFF:
            raise ValueError(f"block has too many symbols: symbols={count}")
        views = <Bytes*>malloc(count * sizeof(Bytes) + 1)
        if views == NULL:
            raise MemoryError
        try:
            for i in range(count):
                _view(held[i], &views[i])
            self.set_symbols(views, <uint32_t>count)
        finally:
            free(views)
        self._ordinals = {held[i]: i for i in range(count)}

    def add(self, labels, chunks):
        cdef tuple pairs = tuple(labels)
        cdef tuple held = tuple(chunks)
        cdef list payloads = []  # alive while the views are
        cdef size_t i
        cdef Bytes data
        cdef uint32_t* refs
        cdef ChunkRef* views
        refs = <uint32_t*>malloc(len(pairs) * 2 * sizeof(uint32_t) + 1)
        views = <ChunkRef*>malloc(len(held) * sizeof(ChunkRef) + 1)
        try:
            if refs == NULL or views == NULL:
                raise MemoryError
            for i in range(<size_t>len(pairs)):
                name, value = pairs[i]
                refs[2 * i] = self._ordinal(name)
                refs[2 * i + 1] = self._ordinal(value)
            for i in range(<size_t>len(held)):
                encoding, mint, maxt, payload = held[i]
                payloads.append(payload)
                _view(payload, &data)
                if data.size < 2:
                    raise ValueError(f"chunk has no header: bytes={data.size}")
                views[i] = ChunkRef(
                    mint, maxt, data.data, data.size, (<uint32_t>data.data[0] << 8) | data.data[1], encoding
                )
            self.add_series(refs, <uint32_t>len(pairs), views, <uint32_t>len(held))
        finally:
            free(refs)
            free(views)

    def _ordinal(self, text):
        if self._ordinals is None or text not in self._ordinals:
            raise ValueError(f"label names no symbol: text={text!r}")
        return self._ordinals[text]

    def finish(self):
        if not self._open or self._series == 0:
            raise ValueError("block has no series, was finished before, or had an error")
        self._open = False
        self._segments.finish()
        self._index.finish()
        _sync_directory(os.path.join(self._directory, "chunks"))
        _sync_directory(self._directory)
        return BlockStats(
            self._series,
            self._chunks,
            self._float_samples + self._histogram_samples,
            self._float_samples,
            self._histogram_samples,
            self._min_time,
            self._max_time,
            self._index.series_max_size,
            self._segments.chunk_max_size,
            tuple(self._segments.names),
        )

    def abort(self):
        self._open = False
        self._segments.close()
        self._index.close()
