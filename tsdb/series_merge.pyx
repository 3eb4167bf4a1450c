from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort, realloc
from libc.string cimport memcpy

from tsdb.block_writer cimport BlockWriter
from tsdb.merge_source cimport MergeSource, compare_refs
from tsdb.symbol_union cimport SymbolUnion
from tsdb.views cimport ChunkRef

from tsdb.chunk import Chunk
from tsdb.chunks import merge_chunks
from tsdb.deletion import delete_samples

SeriesCounts = namedtuple("SeriesCounts", "read written duplicate conflicting deleted", module="tsdb.series_merge")

cdef int _by_mint(const void* a, const void* b) noexcept nogil:
    return ((<const ChunkRef*>a).mint > (<const ChunkRef*>b).mint) - ((<const ChunkRef*>a).mint < (<const ChunkRef*>b).mint)

cdef class SeriesMerge:
    """The state of one merge: where each source stands, and the chunks of the series at hand."""

    cdef tuple _held
    cdef void** _sources        # MergeSources, borrowed from `_held`, for code without the GIL
    cdef Py_ssize_t _count
    cdef bint* _alive           # per source: whether it stands on a series
    cdef bint* _chosen          # per source: whether that series is the one at hand
    cdef SymbolUnion _symbols
    cdef BlockWriter _writer
    cdef ChunkRef* _chunks      # of the series at hand, by source and then by time
    cdef ChunkRef* _ordered     # the same by time
    cdef size_t _room
    cdef size_t _chunk_count
    cdef uint64_t _read
    cdef uint64_t _written
    cdef uint64_t _duplicate
    cdef uint64_t _conflicting

    def __init__(self, sources, symbols, BlockWriter writer not None):
        cdef Py_ssize_t i
        self._held = tuple(sources)
        self._count = len(self._held)
        self._symbols = SymbolUnion(symbols)
        self._writer = writer
        self._sources = <void**>calloc(self._count + 1, sizeof(void*))
        self._alive = <bint*>calloc(self._count + 1, sizeof(bint))
        self._chosen = <bint*>calloc(self._count + 1, sizeof(bint))
        if self._sources == NULL or self._alive == NULL or self._chosen == NULL:
            raise MemoryError
        for i in range(self._count):
            self._sources[i] = <void*><MergeSource?>self._held[i]

    def __dealloc__(self):
        free(self._sources)
        free(self._alive)
        free(self._chosen)
        free(self._chunks)
        free(self._ordered)

    cdef int run(self) except -1:
        cdef Py_ssize_t i
        with nogil:
            self._writer.set_symbols(self._symbols.symbols, self._symbols.count)
            for i in range(self._count):
                self._alive[i] = (<MergeSource>self._sources[i]).next(self._symbols.ordinals[i])
            while self._step():
                pass
        return 0

    def counts(self):
        return SeriesCounts(
            self._read,
            self._written,
            self._duplicate,
            self._conflicting,
            self._read - self._written - self._duplicate - self._conflicting,
        )

    cdef int _step(self) except -1 nogil:
        """Writes the least series that any source stands on: 1, or 0 where all have ended."""
        cdef Py_ssize_t least = self._choose()
        cdef Py_ssize_t i
        cdef size_t k
        if least < 0:
            return 0
        self._chunk_count = 0
        for i in range(self._count):
            if self._chosen[i]:
                self._gather(i)
        for k in range(self._chunk_count):
            self._read += self._chunks[k].samples
        if self._has_deletions() or not self._order():
            with gil:
                self._write_merged(least)
        elif self._chunk_count:
            self._write(least, self._ordered, <uint32_t>self._chunk_count)
        for i in range(self._count):
            if self._chosen[i]:
                self._alive[i] = (<MergeSource>self._sources[i]).next(self._symbols.ordinals[i])
        return 1

    cdef Py_ssize_t _choose(self) noexcept nogil:
        """Marks the sources that stand on the least series; returns the first of them, or -1."""
        cdef Py_ssize_t least = -1
        cdef Py_ssize_t i
        for i in range(self._count):
            if self._alive[i] and (least < 0 or self._compare(i, least) < 0):
                least = i
        for i in range(self._count):
            self._chosen[i] = self._alive[i] and (i == least or self._compare(i, least) == 0)
        return least

    cdef int _compare(self, Py_ssize_t a, Py_ssize_t b) noexcept nogil:
        return compare_refs(
            (<MergeSource>self._sources[a]).entry.refs,
            (<MergeSource>self._sources[a]).entry.pairs,
            (<MergeSource>self._sources[b]).entry.refs,
            (<MergeSource>self._sources[b]).entry.pairs,
        )

    cdef int _gather(self, Py_ssize_t i) except -1 nogil:
        """Adds the chunks of one source's series."""
        cdef uint32_t count = (<MergeSource>self._sources[i]).entry.count
        cdef uint32_t k
        self._make_room(self._chunk_count + count)
        for k in range(count):
            (<MergeSource>self._sources[i]).chunk(k, &self._chunks[self._chunk_count])
            self._chunk_count += 1
        return 0

    cdef int _make_room(self, size_t count) except -1 nogil:
        cdef void* moved
        if count <= self._room:
            return 0
        moved = realloc(self._chunks, count * 2 * sizeof(ChunkRef))
        if moved != NULL:
            self._chunks = <ChunkRef*>moved
            moved = realloc(self._ordered, count * 2 * sizeof(ChunkRef))
        if moved == NULL:
            with gil:
                raise MemoryError
        self._ordered = <ChunkRef*>moved
        self._room = count * 2
        return 0

    cdef bint _has_deletions(self) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self._count):
            if self._chosen[i] and (<MergeSource>self._sources[i]).deletes:
                return True
        return False

    cdef bint _order(self) noexcept nogil:
        """Puts the chunks in order of time; whether none overlaps another then."""
        cdef size_t i
        if self._chunk_count == 0:
            return True
        memcpy(self._ordered, self._chunks, self._chunk_count * sizeof(ChunkRef))
        qsort(self._ordered, self._chunk_count, sizeof(ChunkRef), _by_mint)
        for i in range(1, self._chunk_count):
            if self._ordered[i].mint <= self._ordered[i - 1].maxt:
                return False
        return True

    cdef int _write(self, Py_ssize_t source, const ChunkRef* chunks, uint32_t count) except -1 nogil:
        cdef uint32_t i
        self._writer.add_series(
            (<MergeSource>self._sources[source]).entry.refs,
            (<MergeSource>self._sources[source]).entry.pairs,
            chunks,
            count,
        )
        for i in range(count):
            self._written += chunks[i].samples
        return 0

    cdef int _write_merged(self, Py_ssize_t least) except -1:
        """The series at hand where chunks overlap or samples are deleted: through chunks as Python has them."""
        cdef list held = []
        cdef size_t place = 0
        cdef Py_ssize_t i
        cdef uint32_t k
        cdef ChunkRef* view
        cdef MergeSource source
        for i in range(self._count):
            if not self._chosen[i]:
                continue
            source = self._held[i]
            deleted = source.tombstones.get(source.series)
            for k in range(source.entry.count):
                view = &self._chunks[place]
                place += 1
                chunk = Chunk(view.encoding, view.mint, view.maxt, (<const char*>view.data)[:view.size])
                if deleted is None:
                    held.append(chunk)
                else:
                    held.extend(delete_samples(chunk, deleted))
        merged, counts = merge_chunks(held)
        self._duplicate += <uint64_t>counts.duplicate
        self._conflicting += <uint64_t>counts.conflicting
        self._make_room(len(merged))
        place = 0
        for chunk in merged:
            view = &self._ordered[place]
            place += 1
            view.encoding, view.mint, view.maxt = chunk.encoding, chunk.mint, chunk.maxt
            view.data = <const uint8_t*>PyBytes_AS_STRING(<bytes?>chunk.data)
            view.size = <uint32_t>PyBytes_GET_SIZE(<bytes?>chunk.data)
            view.samples = (<uint32_t>view.data[0] << 8) | view.data[1]
        if place:
            self._write(least, self._ordered, <uint32_t>place)
        return 0


def merge_series(sources, symbols, writer):
    cdef SeriesMerge merge = SeriesMerge(sources, symbols, writer)
    merge.run()
    return merge.counts()
