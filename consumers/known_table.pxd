"""The series of a head by the hash that names them in version 2 records, each with the offset that taught it last.

A hash is murmur3, which has no key: places in the table are taken by a keyed mix of it, so that nobody can prepare
label sets that lie in one row. Two label sets with one hash can be prepared; the newest of them is then the one meant,
for everybody who reads the log.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

from consumers.arena cimport system_give, system_take
from consumers.label_hash cimport HashKey, fold
from consumers.series_table cimport Series
from wire.murmur3 cimport Hash128

cdef struct KnownSlot:
    # Half a cache line.
    Hash128 hash
    uint64_t taught           # offset of the newest record that held the labels
    Series* series            # NULL: empty

cdef struct KnownTable:
    KnownSlot* slots
    uint64_t capacity         # a power of two, or 0
    uint64_t count

cdef inline size_t known_bytes(const KnownTable* t) noexcept nogil:
    return t.capacity * sizeof(KnownSlot)

cdef inline void known_close(KnownTable* t) noexcept nogil:
    system_give(t.slots, t.capacity * sizeof(KnownSlot))
    memset(t, 0, sizeof(KnownTable))

cdef inline KnownSlot* known_start(const KnownTable* t, Hash128 hash, const HashKey* key) noexcept nogil:
    """Where a search begins; of a table with capacity."""
    return &t.slots[fold(hash.low ^ key.k[2], hash.high ^ key.k[3]) & (t.capacity - 1)]

cdef inline KnownSlot* known_from(const KnownTable* t, KnownSlot* slot, Hash128 hash) noexcept nogil:
    """The slot of this hash, or the empty one where it would stand."""
    while slot.series != NULL and (slot.hash.low != hash.low or slot.hash.high != hash.high):
        slot += 1
        if slot == t.slots + t.capacity:
            slot = t.slots
    return slot

cdef inline int known_reserve(KnownTable* t, uint64_t more, const HashKey* key) noexcept nogil:
    """Room for `more`; -1 where memory ran out, the table is then as it was."""
    cdef KnownTable grown
    cdef uint64_t i
    grown.capacity = t.capacity if t.capacity else 64
    while (t.count + more) * 8 > grown.capacity * 5:
        grown.capacity *= 2
    if grown.capacity == t.capacity:
        return 0
    grown.slots = <KnownSlot*>system_take(grown.capacity * sizeof(KnownSlot))
    if grown.slots == NULL:
        return -1
    grown.count = t.count
    for i in range(t.capacity):
        if t.slots[i].series != NULL:
            known_from(&grown, known_start(&grown, t.slots[i].hash, key), t.slots[i].hash)[0] = t.slots[i]
    system_give(t.slots, t.capacity * sizeof(KnownSlot))
    t[0] = grown
    return 0

cdef inline void known_put(
    KnownTable* t, Hash128 hash, Series* series, uint64_t taught, const HashKey* key
) noexcept nogil:
    """Room was reserved. What an older record says does not replace what a newer one said."""
    cdef KnownSlot* slot = known_from(t, known_start(t, hash, key), hash)
    if slot.series == NULL:
        t.count += 1
    elif slot.taught > taught:
        return
    slot[0] = KnownSlot(hash, taught, series)
