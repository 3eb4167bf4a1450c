"""Goes through the store a stretch of series at a time: pick under the lock, ask the patterns without it, copy under it.

The lock is never waited for with the GIL held, and no Python object is made while it is held. Series never move and
their labels never change, so both may be looked at without the lock.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.pythread cimport PyThread_acquire_lock, PyThread_release_lock, PyThread_type_lock, WAIT_LOCK
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from consumers.label_walk cimport find_label, next_label
from consumers.late cimport Repeats, window_merge
from consumers.series_table cimport Series, labels_length, table_series
from consumers.store cimport Store
from consumers.window cimport FullChunk, NO_WINDOW, Window, xor_first_time, xor_size
from tsdb.chunk_list cimport ChunkList, chunk_list_append, chunk_list_free
from tsdb.views cimport Bytes
from wire.canonical cimport LabelPair

from tsdb.chunk import Chunk, SeriesChunks
from tsdb.matcher import MatchType

cdef enum:
    STRETCH = 4096    # series looked at in one go
    PICKED = 256      # of them, series copied in one go


cdef bint _meets(const uint8_t* labels, const Condition* conditions, uint32_t count) noexcept nogil:
    cdef LabelPair label
    cdef uint32_t i
    cdef bint same
    for i in range(count):
        find_label(labels, labels_length(labels), conditions[i].name.data, conditions[i].name.size, &label)
        same = (
            label.value_size == conditions[i].value.size
            and memcmp(label.value, conditions[i].value.data, label.value_size) == 0
        )
        if same != conditions[i].equal:
            return False
    return True


cdef inline bint _in_range(const Store* s, const Window* w, int64_t mint, int64_t maxt) noexcept nogil:
    return w.ordinal != NO_WINDOW and s.windows[w.ordinal] <= maxt and s.windows[w.ordinal] + (s.window_ms - 1) >= mint


cdef bint _has_window(const Store* s, const Series* series, int64_t mint, int64_t maxt) noexcept nogil:
    cdef const Window* w = &series.window
    while w != NULL:
        if _in_range(s, w, mint, maxt):
            return True
        w = NULL if w.rest == NULL else w.rest.next
    return False


cdef int _copy_window(const Window* w, ChunkList* out) noexcept nogil:
    cdef const FullChunk* full = NULL if w.rest == NULL else w.rest.first_chunk
    cdef Repeats repeats = Repeats(0, 0)
    if w.rest != NULL and w.rest.late:
        return window_merge(w, out, &repeats)
    while full != NULL:
        if chunk_list_append(out, full.encoding, full.mint, full.maxt, full.samples, full.data, full.size) < 0:
            return -1
        full = full.next
    if w.xor.count == 0:
        return 0
    return chunk_list_append(out, 1, xor_first_time(w.data), w.xor.t, w.xor.count, w.data, xor_size(&w.xor))


cdef int _copy_series(const Store* s, const Series* series, int64_t mint, int64_t maxt, ChunkList* out) noexcept nogil:
    cdef const Window* w = &series.window
    while w != NULL:
        if _in_range(s, w, mint, maxt) and _copy_window(w, out) < 0:
            return -1
        w = NULL if w.rest == NULL else w.rest.next
    return 0


cdef tuple _labels(const uint8_t* labels, const uint8_t* before, tuple before_pairs):
    """The label set; a pair that the series before has in the same place is that one's, since most of them are."""
    cdef const uint8_t* p = labels
    cdef const uint8_t* q = before
    cdef const uint8_t* start
    cdef const uint8_t* start_before
    cdef const uint8_t* end = labels + labels_length(labels)
    cdef LabelPair pair
    cdef LabelPair pair_before
    cdef Py_ssize_t i = 0
    cdef list pairs = []
    while p < end:
        start = p
        p = next_label(p, &pair)
        if i < len(before_pairs):
            start_before = q
            q = next_label(q, &pair_before)
            if p - start == q - start_before and memcmp(start, start_before, p - start) == 0:
                pairs.append(before_pairs[i])
                i += 1
                continue
        pairs.append((
            PyBytes_FromStringAndSize(<char*>pair.name, pair.name_size),
            PyBytes_FromStringAndSize(<char*>pair.value, pair.value_size),
        ))
        i += 1
    return tuple(pairs)


cdef list _chunks(const ChunkList* copied, int64_t mint, int64_t maxt):
    cdef list chunks = []
    cdef uint32_t i
    for i in range(copied.count):
        if copied.items[i].mint <= maxt and copied.items[i].maxt >= mint:
            chunks.append(Chunk(
                copied.items[i].encoding,
                copied.items[i].mint,
                copied.items[i].maxt,
                PyBytes_FromStringAndSize(<char*>copied.items[i].data, copied.items[i].size),
            ))
    chunks.sort(key=lambda chunk: chunk.mint)
    return chunks


cdef inline Bytes _view(bytes text):
    return Bytes(<const uint8_t*>PyBytes_AS_STRING(text), <uint32_t>PyBytes_GET_SIZE(text))


cdef Selection selection_open(
    object owner, const Store* store, PyThread_type_lock lock, object matchers, int64_t mint, int64_t maxt
):
    cdef Selection self = Selection.__new__(Selection)
    cdef Condition* condition
    self._owner = owner
    self._store = store
    self._lock = lock
    self._mint = mint
    self._maxt = maxt
    self._texts = []
    self._patterns = []
    self._ready = []
    self._pairs = ()
    self._conditions = <Condition*>calloc(len(matchers) + 1, sizeof(Condition))
    if self._conditions == NULL:
        raise MemoryError
    for matcher in matchers:
        if matcher.kind not in (MatchType.EQUAL, MatchType.NOT_EQUAL):
            self._patterns.append((matcher.name, matcher, {}))
            continue
        condition = &self._conditions[self._conditions_count]
        condition.name = _view(matcher.name)
        condition.value = _view(matcher.value)
        condition.equal = matcher.kind == MatchType.EQUAL
        self._texts.append((matcher.name, matcher.value))
        self._conditions_count += 1
    return self


cdef class Selection:

    def __dealloc__(self):
        free(self._conditions)

    def __iter__(self):
        return self

    def __next__(self):
        while not self._ready:
            if not self._scan():
                raise StopIteration
        return self._ready.pop()

    cdef bint _passes(self, const uint8_t* labels) except -1:
        """Whether every pattern matches; each is asked once about a value."""
        cdef LabelPair label
        cdef Bytes name
        for text, matcher, known in self._patterns:
            name = _view(text)
            find_label(labels, labels_length(labels), name.data, name.size, &label)
            value = PyBytes_FromStringAndSize(<char*>label.value, label.value_size)
            passes = known.get(value)
            if passes is None:
                passes = known[value] = matcher.matches(value)
            if not passes:
                return False
        return True

    cdef bint _scan(self) except -1:
        """Makes the next series ready, if there are any in the next stretch; False behind the last series."""
        cdef const Series* picked[PICKED]
        cdef ChunkList copied[PICKED]
        cdef const Series* series
        cdef uint32_t end
        cdef uint32_t i
        cdef uint32_t n = 0
        cdef uint32_t kept = 0
        cdef bint done
        cdef int status = 0
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            end = self._at + STRETCH if self._store.table.count - self._at > STRETCH else self._store.table.count
            done = self._at == end
            while self._at < end and n < PICKED:
                series = table_series(&self._store.table, self._at)
                self._at += 1
                if _has_window(self._store, series, self._mint, self._maxt) and _meets(
                    series.labels, self._conditions, self._conditions_count
                ):
                    picked[n] = series
                    n += 1
            PyThread_release_lock(self._lock)
        if done:
            return False
        for i in range(n):
            if self._passes(picked[i].labels):
                picked[kept] = picked[i]
                kept += 1
        memset(copied, 0, sizeof(copied))
        try:
            with nogil:
                PyThread_acquire_lock(self._lock, WAIT_LOCK)
                for i in range(kept):
                    status = _copy_series(self._store, picked[i], self._mint, self._maxt, &copied[i])
                    if status < 0:
                        break
                PyThread_release_lock(self._lock)
            if status < 0:
                raise MemoryError
            for i in range(kept):
                chunks = _chunks(&copied[i], self._mint, self._maxt)
                if chunks:
                    self._pairs = _labels(picked[i].labels, self._labels, self._pairs)
                    self._labels = picked[i].labels
                    self._ready.append(SeriesChunks(self._pairs, chunks))
        finally:
            for i in range(kept):
                chunk_list_free(&copied[i])
        return True
