"""Which bytes go into which record: made while a request is walked, carried out once all of it is known to be good.

An entry is a range of the request's body, which may be cut: less one range within. Or it is a range of the scratch
buffer, where it had to be written anew. So good entries are copied once, straight into their record, and a request that
turns out malformed has cost nothing but the plan.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from wire.cursor cimport varint_size, write_varint

cdef enum:
    IN_SCRATCH = 0x80000000u
    IS_METADATA = 0x40000000u
    IS_CUT = 0x20000000u
    IS_HASHED = 0x10000000u
    PLACE_MASK = 0x0FFFFFFF
    NO_RECORD = 0xFFFFFFFFu

cdef struct Entry:
    uint32_t offset
    uint32_t size
    uint32_t place  # the slot, then the index of the record; and the four flags above

cdef struct Cut:
    uint32_t offset  # in its entry's range
    uint32_t size

cdef struct Key:
    # Of an entry that is a series, where its labels may be left out.
    uint64_t low             # of its hash
    uint64_t high
    uint32_t elements        # where they stand, in body or scratch: all that follows the labels
    uint32_t elements_size
    int64_t time             # of its only sample, where it is a row
    uint64_t bits

cdef struct Record:
    uint32_t slot   # a partition, or one of its parts that share no record
    uint32_t size
    uint8_t* end    # where its next byte goes

cdef struct Plan:
    Entry* entries
    size_t count
    size_t room
    uint8_t* scratch
    size_t scratch_size
    size_t scratch_room
    Record* records
    size_t record_count
    size_t record_room
    Cut* cuts       # of the entries that are cut, in their order
    size_t cut_count
    size_t cut_room
    Key* keys       # by number of their entries; metadata has none
    size_t key_count
    size_t key_room

cdef inline void plan_free(Plan* plan) noexcept nogil:
    free(plan.entries)
    free(plan.scratch)
    free(plan.records)
    free(plan.cuts)
    free(plan.keys)
    memset(plan, 0, sizeof(Plan))

cdef inline void* _grown(void* data, size_t* room, size_t needed, size_t item) noexcept nogil:
    """The array with room for `needed` items; NULL where there is no memory for them, and nothing has changed."""
    cdef size_t wanted = room[0] + room[0] // 2
    if needed <= room[0]:
        return data
    if wanted < needed:
        wanted = needed
    if wanted < 1024:
        wanted = 1024
    data = realloc(data, wanted * item)
    if data != NULL:
        room[0] = wanted
    return data

cdef inline int plan_reserve(Plan* plan, size_t size) noexcept nogil:
    """Room for `size` more bytes of scratch; pointers into it are void afterwards. -1 without memory."""
    cdef void* scratch
    if plan.scratch_size + size > NO_RECORD:
        return -1
    scratch = _grown(plan.scratch, &plan.scratch_room, plan.scratch_size + size, 1)
    if scratch == NULL:
        return -1
    plan.scratch = <uint8_t*>scratch
    return 0

cdef inline int plan_add(Plan* plan, size_t offset, size_t size, uint32_t place) noexcept nogil:
    cdef Entry* entry
    cdef void* entries = _grown(plan.entries, &plan.room, plan.count + 1, sizeof(Entry))
    if entries == NULL:
        return -1
    plan.entries = <Entry*>entries
    entry = &plan.entries[plan.count]
    entry.offset = <uint32_t>offset
    entry.size = <uint32_t>size
    entry.place = place
    plan.count += 1
    return 0

cdef inline int plan_add_cut(Plan* plan, size_t offset, size_t size, Cut cut, uint32_t place) noexcept nogil:
    """The range of `size` bytes from `offset` on, less the cut."""
    cdef void* cuts = _grown(plan.cuts, &plan.cut_room, plan.cut_count + 1, sizeof(Cut))
    if cuts == NULL:
        return -1
    plan.cuts = <Cut*>cuts
    plan.cuts[plan.cut_count] = cut
    plan.cut_count += 1
    return plan_add(plan, offset, size - cut.size, place | IS_CUT)

cdef inline int plan_add_key(Plan* plan, size_t elements, size_t size) noexcept nogil:
    """Of the entry that was added last, its hash left open. One that gets no key is metadata, or keeps its labels."""
    cdef Key* key
    cdef void* keys = _grown(plan.keys, &plan.key_room, plan.count, sizeof(Key))
    if keys == NULL:
        return -1
    plan.keys = <Key*>keys
    while plan.key_count < plan.count - 1:
        plan.keys[plan.key_count].elements_size = 0
        plan.key_count += 1
    key = &plan.keys[plan.count - 1]
    key.elements = <uint32_t>elements
    key.elements_size = <uint32_t>size
    plan.key_count = plan.count
    return 0

cdef inline int _add_record(Plan* plan, uint32_t slot) noexcept nogil:
    cdef void* records = _grown(plan.records, &plan.record_room, plan.record_count + 1, sizeof(Record))
    if records == NULL:
        return -1
    plan.records = <Record*>records
    plan.records[plan.record_count].slot = slot
    plan.records[plan.record_count].size = 0
    plan.records[plan.record_count].end = NULL
    plan.record_count += 1
    return 0

cdef inline void plan_drop(Plan* plan, size_t number) noexcept nogil:
    """Of an entry that has no record yet; gone after `plan_remove_dropped`."""
    plan.entries[number].size = 0  # no other entry is empty

cdef inline void plan_remove_dropped(Plan* plan) noexcept nogil:
    cdef size_t entries = 0
    cdef size_t keys = 0
    cdef size_t cuts = 0
    cdef size_t cut = 0
    cdef Entry entry
    cdef size_t i
    for i in range(plan.count):
        entry = plan.entries[i]
        if entry.size:
            plan.entries[entries] = entry
            if i < plan.key_count:
                plan.keys[entries] = plan.keys[i]
                keys += 1
            entries += 1
        if entry.place & IS_CUT:
            if entry.size:
                plan.cuts[cuts] = plan.cuts[cut]
                cuts += 1
            cut += 1
    plan.count = entries
    plan.key_count = keys
    plan.cut_count = cuts

cdef inline uint64_t entry_bytes(uint64_t size) noexcept nogil:
    """Of an entry as a record's field: tag, length, payload."""
    return 1 + varint_size(size) + size

cdef inline int plan_records(Plan* plan, uint32_t slots, uint32_t max_record_bytes) noexcept nogil:
    """Gives each entry its record, in order; an entry that no longer fits its slot's record begins the next."""
    cdef uint32_t* current = <uint32_t*>malloc(slots * sizeof(uint32_t))
    cdef Entry* entry
    cdef uint32_t slot, record
    cdef uint64_t size
    cdef size_t i
    if current == NULL:
        return -1
    memset(current, 0xFF, slots * sizeof(uint32_t))
    for i in range(plan.count):
        entry = &plan.entries[i]
        slot = entry.place & PLACE_MASK
        record = current[slot]
        size = entry_bytes(entry.size)
        if record == NO_RECORD or plan.records[record].size + size > max_record_bytes:
            record = <uint32_t>plan.record_count
            if _add_record(plan, slot) < 0:
                free(current)
                return -1
            current[slot] = record
        plan.records[record].size += <uint32_t>size
        entry.place = (entry.place & ~<uint32_t>PLACE_MASK) | record
    free(current)
    return 0

cdef inline void plan_write(Plan* plan, const uint8_t* body) noexcept nogil:
    """Copies every entry to its record, whose `end` must stand at the start of `size` bytes."""
    cdef const Entry* entry
    cdef Record* record
    cdef const uint8_t* source
    cdef const Cut* cut = plan.cuts
    cdef uint8_t* p
    cdef size_t i
    for i in range(plan.count):
        entry = &plan.entries[i]
        record = &plan.records[entry.place & PLACE_MASK]
        source = (<const uint8_t*>plan.scratch if entry.place & IN_SCRATCH else body) + entry.offset
        p = record.end
        p[0] = 0x1A if entry.place & IS_METADATA else 0x0A
        p = write_varint(p + 1, entry.size)
        if entry.place & IS_CUT:
            memcpy(p, source, cut.offset)
            memcpy(p + cut.offset, source + cut.offset + cut.size, entry.size - cut.offset)
            cut += 1
        else:
            memcpy(p, source, entry.size)
        record.end = p + entry.size
