"""How a record goes in: resolve (read only, in prefetched batches), reserve (all that can fail), append (cannot fail)."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from consumers.arena cimport arena_close, arena_reserve, arena_take, system_give, system_take
from consumers.known_table cimport known_bytes, known_close
from consumers.label_hash cimport prefetch
from consumers.late cimport Repeats, window_settle
from consumers.record cimport Entry, RECORD_NO_MEMORY, RECORD_OK, Record
from consumers.series_table cimport (
    LINE, Series, labels_equal, series_need, slabs_need, table_bytes, table_candidate, table_close, table_find,
    table_insert, table_reserve, table_series, table_slot
)
from consumers.window cimport (
    KEPT, NO_WINDOW, REPEATED, Sample, Window, window_append, window_need, window_open, window_rest
)
from wire.canonical cimport LABELS_OK, canonical_check

cdef void store_find(Store* s, Entry* entries, uint32_t n) noexcept nogil:
    """Each step asks for the memory that the next one reads."""
    cdef uint64_t position[BATCH]
    cdef uint32_t i, offset
    cdef Series* series
    for i in range(n):
        prefetch(table_slot(&s.table, entries[i].tag))
    for i in range(n):
        position[i] = entries[i].tag
        entries[i].series = table_candidate(&s.table, entries[i].tag, &position[i])
        if entries[i].series != NULL:
            prefetch(entries[i].series)
    for i in range(n):
        series = entries[i].series
        if series != NULL:
            offset = 0
            while offset < entries[i].size + 4:
                prefetch(series.labels - 4 + offset)
                offset += LINE
            if series.window.data != NULL:
                prefetch(series.window.data)
                prefetch(series.window.data + (series.window.xor.nbits >> 3))
    for i in range(n):
        while entries[i].series != NULL and not labels_equal(entries[i].series, entries[i].labels, entries[i].size):
            entries[i].series = table_candidate(&s.table, entries[i].tag, &position[i])


cdef int _resolve(Store* s, Record* r) noexcept nogil:
    """Finds the series there are and checks the labels of those there are not."""
    cdef uint32_t first = 0
    cdef uint32_t i, n
    cdef int reason
    while first < r.entries_count:
        n = r.entries_count - first if r.entries_count - first < BATCH else BATCH
        if s.table.count:
            store_find(s, r.entries + first, n)
        for i in range(first, first + n):
            if r.entries[i].series == NULL:
                reason = canonical_check(r.entries[i].labels, r.entries[i].size)
                if reason != LABELS_OK:
                    r.at = r.entries[i].labels
                    return reason
        first += n
    return RECORD_OK


cdef int _reserve(Store* s, const Record* r) noexcept nogil:
    cdef uint64_t unknown = 0
    cdef uint64_t need = r.histogram_bytes
    cdef uint64_t capacity = <uint64_t>s.windows_count + r.samples_count
    cdef const Entry* entry
    cdef int64_t* windows
    cdef uint32_t i
    for i in range(r.entries_count):
        entry = &r.entries[i]
        if entry.samples:
            if entry.series == NULL:
                unknown += 1
                need += series_need(entry.size) + window_need(NULL, entry.samples)
            else:
                need += window_need(&entry.series.window, entry.samples)
    if table_reserve(&s.table, unknown) < 0:
        return RECORD_NO_MEMORY
    if arena_reserve(&s.arena, need + slabs_need(&s.table, unknown)) < 0:
        return RECORD_NO_MEMORY
    if capacity > s.max_windows:
        capacity = s.max_windows
    if capacity > s.windows_capacity:
        windows = <int64_t*>system_take(capacity * sizeof(int64_t))
        if windows == NULL:
            return RECORD_NO_MEMORY
        if s.windows_count:
            memcpy(windows, s.windows, s.windows_count * sizeof(int64_t))
        system_give(s.windows, s.windows_capacity * sizeof(int64_t))
        s.windows = windows
        s.windows_capacity = <uint32_t>capacity
    return RECORD_OK


cdef inline int64_t _floor(int64_t t, int64_t step) noexcept nogil:
    cdef int64_t rest = t % step
    return t - rest - (step if rest < 0 else 0)


cdef inline int64_t _window_of(Store* s, int64_t t) noexcept nogil:
    """The ordinal of the window that holds `t`, opened if need be; -1 where one more is too many."""
    cdef int64_t start = _floor(t, s.window_ms)
    cdef uint32_t i
    for i in range(s.windows_count):
        if s.windows[i] == start:
            return i
    if s.windows_count == s.max_windows:
        return -1
    s.windows[s.windows_count] = start
    s.windows_count += 1
    return s.windows_count - 1


cdef Window* _other_window(Store* s, Series* series, uint32_t ordinal) noexcept nogil:
    """A window of a series that is not its first, opened if need be."""
    cdef Window* w = &series.window
    while w.rest != NULL and w.rest.next != NULL:
        w = w.rest.next
        if w.ordinal == ordinal:
            return w
    window_rest(&s.arena, w).next = <Window*>arena_take(&s.arena, sizeof(Window))
    w = w.rest.next
    window_open(w, ordinal)
    return w


cdef inline int64_t _below(int64_t t, int64_t distance, int64_t window_ms) noexcept nogil:
    """t - distance, not so low that a window could begin before time does."""
    cdef int64_t lowest = INT64_MIN + window_ms
    return t - distance if t >= lowest + distance else lowest


cdef inline int64_t _above(int64_t t, int64_t distance, int64_t window_ms) noexcept nogil:
    cdef int64_t highest = INT64_MAX - window_ms
    return t + distance if t <= highest - distance else highest


cdef inline void _count(Store* s, const Record* r) noexcept nogil:
    s.tally.records += 1
    s.tally.appended += r.samples_count
    s.tally.exemplars += r.exemplars
    s.tally.metadata += r.metadata


cdef void _append(Store* s, Record* r, int64_t append_time) noexcept nogil:
    cdef int64_t earliest = _below(append_time, s.max_age, s.window_ms)
    cdef int64_t latest = _above(append_time, s.max_future, s.window_ms)
    cdef int64_t start = 1   # of the window found last; no window holds a sample before it is looked for
    cdef int64_t end = 0
    cdef int64_t ordinal = -1
    cdef Entry* entry
    cdef const Sample* sample
    cdef Window* window
    cdef int outcome
    cdef uint32_t i, j
    for i in range(r.entries_count):
        entry = &r.entries[i]
        if entry.series != NULL:
            entry.series.window.announced = 0
        for j in range(entry.first, entry.first + entry.samples):
            sample = &r.samples[j]
            if sample.t < earliest:
                s.tally.rejected[OUT_OF_BOUNDS_PAST] += 1
                continue
            if sample.t > latest:
                s.tally.rejected[OUT_OF_BOUNDS_FUTURE] += 1
                continue
            if not start <= sample.t < end:
                ordinal = _window_of(s, sample.t)
                if ordinal < 0:
                    start = 1
                    end = 0
                    s.tally.rejected[TOO_MANY_WINDOWS] += 1
                    continue
                start = s.windows[ordinal]
                end = start + s.window_ms
            if entry.series == NULL:  # new, unless an earlier entry of this record made it
                entry.series = table_find(&s.table, entry.tag, entry.labels, entry.size)
                if entry.series == NULL:
                    entry.series = table_insert(&s.table, &s.arena, entry.tag, entry.labels, entry.size, NO_WINDOW)
            window = &entry.series.window
            if window.ordinal == NO_WINDOW:
                window.ordinal = <uint32_t>ordinal
                s.stocked += 1
            elif window.ordinal != ordinal:
                window = _other_window(s, entry.series, <uint32_t>ordinal)
            outcome = window_append(&s.arena, window, sample)
            if outcome == KEPT:
                s.tally.stored += 1
            elif outcome == REPEATED:
                s.tally.duplicate += 1
            else:
                s.tally.rejected[DUPLICATE_TIMESTAMP] += 1
    _count(s, r)


cdef int store_take(Store* s, Record* r, int64_t append_time) noexcept nogil:
    cdef int status = _resolve(s, r)
    return status if status != RECORD_OK else store_take_resolved(s, r, append_time)


cdef int store_take_resolved(Store* s, Record* r, int64_t append_time) noexcept nogil:
    cdef int status = _reserve(s, r)
    cdef uint32_t i
    if status != RECORD_OK:
        for i in range(r.entries_count):
            if r.entries[i].series != NULL:
                r.entries[i].series.window.announced = 0
        return status
    _append(s, r, append_time)
    return RECORD_OK


cdef void store_leave_out(Store* s, const Record* r) noexcept nogil:
    _count(s, r)
    s.tally.deduplicated += r.samples_count


cdef int store_settle(Store* s) noexcept nogil:
    cdef Repeats repeats = Repeats(0, 0)
    cdef Window* w
    cdef int status = 0
    while s.settled < s.table.count and status == 0:
        w = &table_series(&s.table, s.settled).window
        while w != NULL and status == 0:
            if w.rest != NULL and w.rest.late:
                status = window_settle(&s.arena, w, &repeats)
            w = NULL if w.rest == NULL else w.rest.next
        if status == 0:
            s.settled += 1
    s.tally.duplicate += repeats.duplicate
    s.tally.rejected[DUPLICATE_TIMESTAMP] += repeats.conflicting
    s.tally.stored -= repeats.duplicate + repeats.conflicting
    return status


cdef size_t store_bytes(const Store* s) noexcept nogil:
    cdef size_t tables = table_bytes(&s.table) + known_bytes(&s.known)
    return sizeof(Store) + s.arena.bytes + tables + s.windows_capacity * sizeof(int64_t)


cdef void store_close(Store* s) noexcept nogil:
    arena_close(&s.arena)
    table_close(&s.table)
    known_close(&s.known)
    system_give(s.windows, s.windows_capacity * sizeof(int64_t))
    memset(s, 0, sizeof(Store))
