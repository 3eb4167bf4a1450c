"""The series of one head: open addressing over label bytes, series in slabs that never move.

A hit is decided by comparing label bytes. Looking up costs four trips to memory (slot, series, labels, chunk), so callers
prefetch a batch of each before they need them; that is most of the speed of a head.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from consumers.arena cimport Arena, arena_take, system_give, system_take
from consumers.label_hash cimport prefetch
from consumers.window cimport Window, window_open

cdef enum:
    SLAB_BITS = 8
    SLAB = 1 << SLAB_BITS
    LINE = 64

cdef struct Series:
    # One cache line. `window` is its first one; others hang behind it.
    Window window
    const uint8_t* labels     # canonical, their length in the four bytes before them

cdef struct Slot:
    uint32_t tag              # of the hash, which is also where probing begins
    uint32_t number           # of the series, from 1; 0 is an empty slot

cdef struct SeriesTable:
    Slot* slots
    uint64_t capacity         # a power of two, or 0
    Series** slabs
    uint64_t slabs_capacity
    uint32_t count

cdef inline size_t table_bytes(const SeriesTable* t) noexcept nogil:
    return t.capacity * sizeof(Slot) + t.slabs_capacity * sizeof(Series*)

cdef inline void table_close(SeriesTable* t) noexcept nogil:
    system_give(t.slots, t.capacity * sizeof(Slot))
    system_give(t.slabs, t.slabs_capacity * sizeof(Series*))
    memset(t, 0, sizeof(SeriesTable))

cdef inline Series* table_series(const SeriesTable* t, uint32_t index) noexcept nogil:
    return t.slabs[index >> SLAB_BITS] + (index & (SLAB - 1))

cdef inline uint32_t labels_length(const uint8_t* labels) noexcept nogil:
    cdef uint32_t n
    memcpy(&n, labels - 4, 4)
    return n

cdef inline const Slot* table_slot(const SeriesTable* t, uint32_t tag) noexcept nogil:
    """Where probing for a tag begins; of a table with capacity."""
    return &t.slots[tag & (t.capacity - 1)]

cdef inline Series* table_candidate(const SeriesTable* t, uint32_t tag, uint64_t* position) noexcept nogil:
    """The next series with this tag from `position` on, which moves behind it; NULL where there is none.

    Begin at the tag itself. Labels are not compared: almost always the first candidate is the one.
    """
    cdef const Slot* slot
    while True:
        slot = &t.slots[position[0] & (t.capacity - 1)]
        if slot.number == 0:
            return NULL
        position[0] += 1
        if slot.tag == tag:
            return table_series(t, slot.number - 1)

cdef inline bint labels_equal(const Series* s, const uint8_t* labels, uint32_t size) noexcept nogil:
    return labels_length(s.labels) == size and memcmp(s.labels, labels, size) == 0

cdef inline Series* table_find(const SeriesTable* t, uint32_t tag, const uint8_t* labels, uint32_t size) noexcept nogil:
    cdef uint64_t position = tag
    cdef Series* series
    if t.capacity == 0:
        return NULL
    while True:
        series = table_candidate(t, tag, &position)
        if series == NULL or labels_equal(series, labels, size):
            return series

cdef inline size_t series_need(uint64_t size) noexcept nogil:
    """Upper bound of the arena bytes that a new series of `size` label bytes takes, its share of a slab apart."""
    return size + 4 + 8

cdef inline size_t slabs_need(const SeriesTable* t, uint64_t more) noexcept nogil:
    """Arena bytes of the slabs that `more` series open."""
    cdef uint64_t open = (<uint64_t>t.count + SLAB - 1) >> SLAB_BITS
    return <size_t>(((t.count + more + SLAB - 1) >> SLAB_BITS) - open) * (SLAB * sizeof(Series) + LINE)

cdef inline int table_reserve(SeriesTable* t, uint64_t more) noexcept nogil:
    """Makes room for `more` series; -1 where memory ran out or numbers would not fit, the table is then as it was."""
    cdef uint64_t capacity = t.capacity if t.capacity else 64
    cdef uint64_t slabs = t.slabs_capacity if t.slabs_capacity else 8
    cdef uint64_t i, position
    cdef Slot* slots
    cdef Series** directory
    if t.count + more > 0x7FFFFFFFu:
        return -1
    while (t.count + more + SLAB - 1) >> SLAB_BITS > slabs:
        slabs *= 2
    if slabs != t.slabs_capacity:
        directory = <Series**>system_take(slabs * sizeof(Series*))
        if directory == NULL:
            return -1
        if t.slabs != NULL:
            memcpy(directory, t.slabs, t.slabs_capacity * sizeof(Series*))
            system_give(t.slabs, t.slabs_capacity * sizeof(Series*))
        t.slabs = directory
        t.slabs_capacity = slabs
    while (t.count + more) * 8 > capacity * 5:
        capacity *= 2
    if capacity != t.capacity:
        slots = <Slot*>system_take(capacity * sizeof(Slot))
        if slots == NULL:
            return -1
        for i in range(t.capacity):
            if t.slots[i].number:
                position = t.slots[i].tag
                while slots[position & (capacity - 1)].number:
                    position += 1
                slots[position & (capacity - 1)] = t.slots[i]
        system_give(t.slots, t.capacity * sizeof(Slot))
        t.slots = slots
        t.capacity = capacity
    return 0

cdef inline Series* table_insert(
    SeriesTable* t, Arena* a, uint32_t tag, const uint8_t* labels, uint32_t size, uint32_t window
) noexcept nogil:
    """Adds a series that is not there, with its first window open; room in table and arena was reserved."""
    cdef uint64_t position = tag
    cdef uint8_t* copy
    cdef Series* series
    cdef uint32_t number = t.count
    if number & (SLAB - 1) == 0:
        copy = <uint8_t*>arena_take(a, SLAB * sizeof(Series) + LINE)
        t.slabs[number >> SLAB_BITS] = <Series*>((<size_t>copy + LINE - 1) & ~<size_t>(LINE - 1))
    copy = <uint8_t*>arena_take(a, <size_t>size + 4)
    memcpy(copy, &size, 4)
    memcpy(copy + 4, labels, size)
    while t.slots[position & (t.capacity - 1)].number:
        position += 1
    t.slots[position & (t.capacity - 1)] = Slot(tag, number + 1)
    t.count += 1
    series = table_series(t, number)
    window_open(&series.window, window)
    series.labels = copy + 4
    return series
