"""Interning: open addressing over the keyed hash. Ranking: multikey quicksort over seven bytes at a time."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memset

from consumers.label_hash cimport label_hash
from consumers.multikey_sort cimport SortItem, multikey_sort


cdef inline bint _same(const Bytes* a, const Bytes* b) noexcept nogil:
    return a.size == b.size and memcmp(a.data, b.data, a.size) == 0


cdef int _grow(Symbols* s) noexcept nogil:
    cdef uint64_t capacity = 2 * s.slots_capacity if s.slots_capacity else 256
    cdef uint64_t i, position
    cdef Slot* slots = <Slot*>calloc(capacity, sizeof(Slot))
    if slots == NULL:
        return -1
    for i in range(s.slots_capacity):
        if s.slots[i].number:
            position = s.slots[i].tag
            while slots[position & (capacity - 1)].number:
                position += 1
            slots[position & (capacity - 1)] = s.slots[i]
    free(s.slots)
    s.slots = slots
    s.slots_capacity = capacity
    return 0


cdef int symbols_intern(Symbols* s, const Bytes* text, uint32_t* id) noexcept nogil:
    cdef uint32_t tag = <uint32_t>label_hash(text.data, text.size, s.key)
    cdef uint64_t position = tag
    cdef uint32_t capacity
    cdef Slot* slot
    cdef Bytes* items
    if <uint64_t>s.count * 8 >= s.slots_capacity * 5 and _grow(s) < 0:
        return -1
    while True:
        slot = &s.slots[position & (s.slots_capacity - 1)]
        if slot.number == 0:
            break
        if slot.tag == tag and _same(&s.items[slot.number - 1], text):
            id[0] = slot.number - 1
            return 0
        position += 1
    if s.count == s.items_capacity:
        if s.count >= 0x7FFFFFFFu:
            return -1
        capacity = 2 * s.items_capacity if s.items_capacity else 256
        items = <Bytes*>realloc(s.items, <size_t>capacity * sizeof(Bytes))
        if items == NULL:
            return -1
        s.items = items
        s.items_capacity = capacity
    s.items[s.count] = text[0]
    id[0] = s.count
    s.count += 1
    slot[0] = Slot(tag, s.count)
    return 0


cdef uint64_t _seven_bytes(const void* context, uint32_t id, uint32_t depth) noexcept nogil:
    """Bytes 7 * depth ... of a symbol, and how many are left (up to 8), so that a prefix sorts first."""
    cdef const Bytes* text = <const Bytes*>context + id
    cdef uint64_t start = <uint64_t>depth * 7
    cdef uint64_t left, key
    cdef const uint8_t* p
    cdef uint32_t i
    if start >= text.size:
        return 0
    left = text.size - start
    p = text.data + start
    key = 0
    for i in range(7):
        key = (key << 8) | (p[i] if i < left else 0)
    return (key << 8) | (left if left < 8 else 8)


cdef uint32_t* symbols_rank(Symbols* s) noexcept nogil:
    cdef SortItem* order = <SortItem*>malloc(<size_t>s.count * sizeof(SortItem) + 1)
    cdef uint32_t* ranks = <uint32_t*>malloc(<size_t>s.count * sizeof(uint32_t) + 1)
    cdef Bytes* sorted_items = <Bytes*>malloc(<size_t>s.count * sizeof(Bytes) + 1)
    cdef uint32_t i
    free(s.slots)
    s.slots = NULL
    s.slots_capacity = 0
    if order == NULL or ranks == NULL or sorted_items == NULL:
        free(order)
        free(ranks)
        free(sorted_items)
        return NULL
    for i in range(s.count):
        order[i].id = i
    multikey_sort(order, s.count, _seven_bytes, s.items, s.key.k[0])
    for i in range(s.count):
        ranks[order[i].id] = i
        sorted_items[i] = s.items[order[i].id]
    free(order)
    free(s.items)
    s.items = sorted_items
    s.items_capacity = s.count
    return ranks


cdef void symbols_free(Symbols* s) noexcept nogil:
    free(s.items)
    free(s.slots)
    memset(s, 0, sizeof(Symbols))
