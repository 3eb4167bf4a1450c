"""A label set under change, as Prometheus' labels.Builder has it: what was there in its order, then what was set in its.

Labels that rules name have a slot each, so that finding one costs nothing; every other one is searched, or looked up in an
index where there are so many that searching would take time by their square.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memset

from wire.arena cimport Arena, arena_free, arena_reset
from wire.canonical cimport LabelPair
from wire.murmur3 cimport murmur3_x64_128
from wire.relabel_memo cimport Text

cdef enum:
    NOWHERE = -1
    SLOT_KEYS = 256
    SEARCHED = 48          # labels, up to which they are searched
    MAX_BUILT = 8192       # labels that one series may come to have on the way

cdef struct Slots:
    # Begins with `heads` at NOWHERE. The names are others' memory.
    Text* names
    int32_t* next          # the next slot with the same key
    uint32_t count
    int32_t heads[SLOT_KEYS]

cdef struct Builder:
    # Begins zeroed.
    const Slots* slots
    int32_t* at            # by slot: its position in `pairs`, or NOWHERE
    LabelPair* pairs       # one whose name is NULL was taken out
    uint32_t count
    uint32_t room
    uint32_t base          # pairs that were there
    bint keeps_order       # a label that is set moves behind the others
    bint changed
    uint32_t* index        # by hash of the name: the position and one; 0 where there is none
    uint32_t index_room    # a power of two
    uint32_t indexed       # how many pairs are in it
    Arena texts            # made for the series at hand

cdef inline uint32_t slot_key(const uint8_t* name, uint32_t size) noexcept nogil:
    """Of a name that is not empty."""
    return (size * 37 + name[0] * 5 + name[size - 1] + name[size >> 1] * 11) & (SLOT_KEYS - 1)

cdef inline int32_t slot_of(const Slots* slots, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef int32_t slot
    if size == 0:
        return NOWHERE
    slot = slots.heads[slot_key(name, size)]
    while slot != NOWHERE:
        if slots.names[slot].size == size and memcmp(slots.names[slot].data, name, size) == 0:
            return slot
        slot = slots.next[slot]
    return NOWHERE

cdef inline void builder_free(Builder* b) noexcept nogil:
    free(b.at)
    free(b.pairs)
    free(b.index)
    arena_free(&b.texts)

cdef inline void builder_begin(Builder* b) noexcept nogil:
    """Empty, for the next series."""
    cdef uint32_t slot
    arena_reset(&b.texts)
    b.count = 0
    b.base = 0
    b.indexed = 0
    b.changed = False
    for slot in range(b.slots.count):
        b.at[slot] = NOWHERE

cdef inline int builder_reserve(Builder* b) noexcept nogil:
    """Room for one pair more; -1 without memory."""
    cdef uint32_t room = 64 if b.room == 0 else b.room * 2
    cdef void* pairs
    if b.count < b.room:
        return 0
    pairs = realloc(b.pairs, room * sizeof(LabelPair))
    if pairs == NULL:
        return -1
    b.pairs = <LabelPair*>pairs
    b.room = room
    return 0

cdef inline int builder_put(Builder* b, const LabelPair* pair) noexcept nogil:
    """One of the labels that are there, in the order of their names. -1 without memory."""
    cdef int32_t slot = slot_of(b.slots, pair.name, pair.name_size)
    if builder_reserve(b) < 0:
        return -1
    if slot != NOWHERE:
        b.at[slot] = <int32_t>b.count
    b.pairs[b.count] = pair[0]
    b.count += 1
    b.base = b.count
    return 0

cdef inline Text builder_get(const Builder* b, int32_t slot) noexcept nogil:
    """The value of a label that has a slot; empty where it is not there."""
    cdef Text value
    cdef int32_t at = b.at[slot]
    value.data = <const uint8_t*>b""
    value.size = 0
    if at != NOWHERE:
        value.data = b.pairs[at].value
        value.size = b.pairs[at].value_size
    return value

cdef inline uint32_t _index_at(const Builder* b, const uint8_t* name, uint32_t size) noexcept nogil:
    """Seeded by an address, which nobody outside knows: names that share a place cannot be made."""
    return <uint32_t>murmur3_x64_128(name, size, <uint32_t>(<uint64_t>b.index >> 4)).low & (b.index_room - 1)

cdef inline bint _build_index(Builder* b) noexcept nogil:
    """Brings the index up to date; whether there was memory for it."""
    cdef uint32_t room = 256
    cdef uint32_t at
    cdef void* index
    if b.index_room < 2 * b.count:
        while room < 4 * b.count:
            room *= 2
        index = realloc(b.index, room * sizeof(uint32_t))
        if index == NULL:
            return False
        b.index = <uint32_t*>index
        b.index_room = room
        b.indexed = 0
    if b.indexed == 0:
        memset(b.index, 0, b.index_room * sizeof(uint32_t))
    while b.indexed < b.count:
        if b.pairs[b.indexed].name != NULL:
            at = _index_at(b, b.pairs[b.indexed].name, b.pairs[b.indexed].name_size)
            while b.index[at]:
                at = (at + 1) & (b.index_room - 1)
            b.index[at] = b.indexed + 1
        b.indexed += 1
    return True

cdef inline int32_t _look_up(const Builder* b, Text name) noexcept nogil:
    cdef uint32_t at = _index_at(b, name.data, name.size)
    cdef const LabelPair* pair
    while b.index[at]:
        pair = &b.pairs[b.index[at] - 1]
        if pair.name != NULL and pair.name_size == name.size and memcmp(pair.name, name.data, name.size) == 0:
            return <int32_t>(b.index[at] - 1)
        at = (at + 1) & (b.index_room - 1)
    return NOWHERE

cdef inline int32_t builder_find(Builder* b, Text name, int32_t slot) noexcept nogil:
    """Where a label is; `slot` is that of its name."""
    cdef uint32_t i
    if slot != NOWHERE:
        return b.at[slot]
    if b.count > SEARCHED and _build_index(b):
        return _look_up(b, name)
    for i in range(b.count):
        if b.pairs[i].name_size == name.size and b.pairs[i].name != NULL:
            if memcmp(b.pairs[i].name, name.data, name.size) == 0:
                return <int32_t>i
    return NOWHERE

cdef inline void builder_take_out(Builder* b, int32_t at) noexcept nogil:
    cdef int32_t slot = slot_of(b.slots, b.pairs[at].name, b.pairs[at].name_size)
    if slot != NOWHERE:
        b.at[slot] = NOWHERE
    b.pairs[at].name = NULL
    b.changed = True

cdef inline int builder_set(Builder* b, Text name, int32_t slot, Text value) noexcept nogil:
    """An empty value takes the label out. The texts must last as long as the series. -1 without memory."""
    cdef int32_t at = builder_find(b, name, slot)
    cdef LabelPair* pair
    cdef bint same
    if at != NOWHERE:
        pair = &b.pairs[at]
        same = pair.value_size == value.size and memcmp(pair.value, value.data, value.size) == 0
        if value.size == 0:
            builder_take_out(b, at)
            return 0
        if not same:
            b.changed = True
        if not b.keeps_order or <uint32_t>at >= b.base:
            pair.value = value.data
            pair.value_size = value.size
            return 0
        pair.name = NULL
    elif value.size == 0:
        return 0
    else:
        b.changed = True
    if builder_reserve(b) < 0:
        return -1
    pair = &b.pairs[b.count]
    pair.name = name.data
    pair.name_size = name.size
    pair.value = value.data
    pair.value_size = value.size
    if slot != NOWHERE:
        b.at[slot] = <int32_t>b.count
    b.count += 1
    return 0

cdef inline void builder_finish(Builder* b) noexcept nogil:
    """Closes the gaps that were left; afterwards only `pairs` and `count` hold."""
    cdef uint32_t i
    cdef uint32_t kept = 0
    for i in range(b.count):
        if b.pairs[i].name != NULL:
            b.pairs[kept] = b.pairs[i]
            kept += 1
    b.count = kept
