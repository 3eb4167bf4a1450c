"""Teaching and resolving, in prefetched batches; inheriting from the head of the segment before."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from consumers.arena cimport arena_reserve
from consumers.known_table cimport KnownSlot, known_from, known_put, known_reserve, known_start
from consumers.label_hash cimport label_hash, prefetch
from consumers.record cimport Entry, RECORD_NO_MEMORY, RECORD_OK, RECORD_UNKNOWN_LABELS, Record
from consumers.series_table cimport (
    LINE, Series, labels_length, series_need, slabs_need, table_find, table_insert, table_reserve
)
from consumers.store cimport BATCH, store_find
from consumers.window cimport NO_WINDOW
from wire.canonical cimport LABELS_OK, canonical_check
from wire.murmur3 cimport Hash128, murmur3_x64_128

cdef int _reserve(Store* s, uint64_t series, uint64_t label_bytes) noexcept nogil:
    if table_reserve(&s.table, series) < 0 or known_reserve(&s.known, series, &s.key) < 0:
        return -1
    return arena_reserve(&s.arena, label_bytes + slabs_need(&s.table, series))


cdef void _teach_batch(Store* s, Entry* entries, uint32_t n, uint64_t offset) noexcept nogil:
    """Room was reserved."""
    cdef Hash128 hashes[BATCH]
    cdef Entry* entry
    cdef uint32_t i
    for i in range(n):
        hashes[i] = murmur3_x64_128(entries[i].labels, entries[i].size, s.seed)
        prefetch(known_start(&s.known, hashes[i], &s.key))
    if s.table.count:
        store_find(s, entries, n)
    for i in range(n):
        entry = &entries[i]
        if entry.series == NULL:  # new, unless an earlier entry of this record made it
            entry.series = table_find(&s.table, entry.tag, entry.labels, entry.size)
        if entry.series == NULL:
            entry.series = table_insert(&s.table, &s.arena, entry.tag, entry.labels, entry.size, NO_WINDOW)
        known_put(&s.known, hashes[i], entry.series, offset, &s.key)


cdef int store_teach(Store* s, Record* r, uint64_t offset) noexcept nogil:
    cdef uint64_t need = 0
    cdef uint32_t i, n
    cdef int reason
    if r.labelled == 0:
        return RECORD_OK
    for i in range(r.labelled):
        reason = canonical_check(r.entries[i].labels, r.entries[i].size)
        if reason != LABELS_OK:
            r.at = r.entries[i].labels
            return reason
        need += series_need(r.entries[i].size)
    if _reserve(s, r.labelled, need) < 0:
        return RECORD_NO_MEMORY
    i = 0
    while i < r.labelled:
        n = r.labelled - i if r.labelled - i < BATCH else BATCH
        _teach_batch(s, r.entries + i, n, offset)
        i += n
    return RECORD_OK


cdef inline Hash128 _hash(const Entry* entry) noexcept nogil:
    cdef Hash128 hash
    memcpy(&hash, entry.labels, sizeof(Hash128))
    return hash


cdef inline bint _resolve_batch(Store* s, Entry* entries, uint32_t n) noexcept nogil:
    """Whether all are known. Each step asks for the memory that the next one reads."""
    cdef KnownSlot* slots[BATCH]
    cdef uint32_t i
    cdef const Series* series
    for i in range(n):
        slots[i] = known_start(&s.known, _hash(&entries[i]), &s.key)
        prefetch(slots[i])
    for i in range(n):
        slots[i] = known_from(&s.known, slots[i], _hash(&entries[i]))
        if slots[i].series == NULL or slots[i].taught < s.since:
            return False
        entries[i].series = slots[i].series
        prefetch(entries[i].series)
    for i in range(n):
        series = entries[i].series
        if series.window.data != NULL:
            prefetch(series.window.data)
            prefetch(series.window.data + (series.window.xor.nbits >> 3))
    return True


cdef int store_resolve_hashed(Store* s, Record* r) noexcept nogil:
    cdef uint32_t first = r.labelled
    cdef uint32_t i, n
    while first < r.entries_count:
        n = r.entries_count - first if r.entries_count - first < BATCH else BATCH
        if s.known.count == 0 or not _resolve_batch(s, r.entries + first, n):
            for i in range(first, first + n):
                if r.entries[i].series == NULL:
                    r.at = r.entries[i].labels
                    return RECORD_UNKNOWN_LABELS
        first += n
    return RECORD_OK


cdef void _inherit_batch(Store* s, KnownSlot** slots, uint32_t n) noexcept nogil:
    cdef const Series* old
    cdef Series* series
    cdef uint32_t i, size, tag, offset
    for i in range(n):
        size = labels_length(slots[i].series.labels)
        offset = LINE
        while offset < size:
            prefetch(slots[i].series.labels + offset)
            offset += LINE
    for i in range(n):
        old = slots[i].series
        size = labels_length(old.labels)
        tag = <uint32_t>label_hash(old.labels, size, &s.key)
        series = table_insert(&s.table, &s.arena, tag, old.labels, size, NO_WINDOW)
        known_put(&s.known, slots[i].hash, series, slots[i].taught, &s.key)


cdef int store_inherit(Store* s, const Store* old, uint64_t since) noexcept nogil:
    cdef KnownSlot* batch[BATCH]
    cdef KnownSlot* slot
    cdef uint64_t need = 0
    cdef uint64_t series = 0
    cdef uint64_t i
    cdef uint32_t n = 0
    for i in range(old.known.capacity):
        slot = &old.known.slots[i]
        if slot.series != NULL and slot.taught >= since:
            series += 1
            need += series_need(labels_length(slot.series.labels))
    if series == 0:
        return 0
    if _reserve(s, series, need) < 0:
        return -1
    for i in range(old.known.capacity):
        slot = &old.known.slots[i]
        if slot.series != NULL and slot.taught >= since:
            prefetch(slot.series)
            prefetch(slot.series.labels - 4)
            batch[n] = slot
            n += 1
            if n == BATCH:
                _inherit_batch(s, batch, n)
                n = 0
    _inherit_batch(s, batch, n)
    return 0
