"""Which series of a planned request go without their labels, and in what form: a row, or an entry with its hash.

The table is asked for all of them one behind the other, each some places ahead, so that waits for memory overlap.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from wire.columns cimport Columns, HASH_FIELD_BYTES, columns_bytes, columns_open
from wire.cursor cimport Cursor, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint
from wire.plan cimport (
    Entry, IN_SCRATCH, IS_CUT, IS_HASHED, Key, PLACE_MASK, Plan, entry_bytes
)
from wire.series_set cimport pthread_mutex_lock, pthread_mutex_unlock
from wire.walk cimport NO_MEMORY, Walk
from wire.written_labels cimport NEVER, Written, written_prefetch, written_when

cdef enum:
    AHEAD_OF_LOOKUP = 48     # measured: 20 cost 17 ns a series more where the table lies beyond caches
    SAMPLES_TAG = 0x12       # of a TimeSeries in a record
    VALUE_TAG = 0x09
    TIME_TAG = 0x10

cdef inline bint read_row(Cursor c, int64_t* time, uint64_t* bits) noexcept nogil:
    """Whether elements that were checked before are one float sample and nothing more, which a row can hold."""
    cdef Cursor sample
    cdef uint32_t field, wire_type
    cdef uint64_t raw = 0
    if c.p == c.end or c.p[0] != SAMPLES_TAG:
        return False
    c.p += 1
    if read_bytes(&c, &sample) < 0 or c.p != c.end:
        return False
    bits[0] = 0
    if sample.end - sample.p > 10 and sample.p[0] == VALUE_TAG and sample.p[9] == TIME_TAG:  # as everyone writes it
        memcpy(bits, sample.p + 1, 8)
        sample.p += 10
        if read_varint(&sample, &raw) < 0:
            return False
    while sample.p < sample.end:
        if read_tag(&sample, &field, &wire_type) < 0:
            return False
        if field == 1 and wire_type == WIRE_FIXED64:
            if read_fixed64(&sample, bits) < 0:
                return False
        elif field != 2 or wire_type != WIRE_VARINT or read_varint(&sample, &raw) < 0:
            return False
    time[0] = <int64_t>raw
    return True

cdef inline void _look_up(Walk* w) noexcept nogil:
    """Leaves in each key's `time` when its labels were written, or NEVER."""
    cdef Written* t = w.written
    cdef Plan* plan = &w.plan
    cdef bint one_slot = w.replicas.count == 0  # of each partition: then it is the partition
    cdef uint32_t slot
    cdef size_t i
    pthread_mutex_lock(&t.mutex)
    memcpy(w.columns.behind, t.offsets, t.partitions * sizeof(int64_t))
    for i in range(plan.key_count):
        if i + AHEAD_OF_LOOKUP < plan.key_count:
            written_prefetch(t, plan.keys[i + AHEAD_OF_LOOKUP].low)
        if plan.keys[i].elements_size == 0:
            continue
        plan.keys[i].time = NEVER
        if w.leave_out:
            slot = plan.entries[i].place & PLACE_MASK
            if not one_slot:
                slot %= w.partitions
            plan.keys[i].time = written_when(t, plan.keys[i].low, plan.keys[i].high, slot, w.log_now)
    pthread_mutex_unlock(&t.mutex)

cdef inline bint _takes_form(Walk* w, Entry* entry, Key* key) noexcept nogil:
    """Whether the entry has a form without labels; it has it then."""
    cdef Cursor elements
    elements.p = (<const uint8_t*>w.plan.scratch if entry.place & IN_SCRATCH else w.body) + key.elements
    elements.end = elements.p + key.elements_size
    if read_row(elements, &key.time, &key.bits):
        entry.size = 0
        return True
    # Labels may be shorter than a hash.
    if columns_bytes(entry_bytes(HASH_FIELD_BYTES + <uint64_t>key.elements_size), 0, 0) > w.max_record_bytes:
        return False
    entry.size = HASH_FIELD_BYTES + key.elements_size
    entry.place |= IS_HASHED
    return True

cdef inline int leave_labels_out(Walk* w) noexcept nogil:
    """Of a plan that has no records yet; 0 or NO_MEMORY."""
    cdef Plan* plan = &w.plan
    cdef size_t cut = 0
    cdef size_t cuts = 0
    cdef Entry* entry
    cdef int64_t when
    cdef int64_t* oldest
    cdef uint32_t slot
    cdef size_t i
    if columns_open(&w.columns, w.partitions * (w.replicas.count + 1), w.partitions) < 0:
        return NO_MEMORY
    _look_up(w)
    for i in range(plan.key_count):
        entry = &plan.entries[i]
        when = plan.keys[i].time if plan.keys[i].elements_size else NEVER
        if when != NEVER and _takes_form(w, entry, &plan.keys[i]):
            slot = entry.place & PLACE_MASK
            oldest = &w.columns.oldest[slot]
            if oldest[0] == NEVER or when < oldest[0]:
                oldest[0] = when
            cut += (entry.place & IS_CUT) != 0
            entry.place &= ~<uint32_t>IS_CUT
        elif entry.place & IS_CUT:
            plan.cuts[cuts] = plan.cuts[cut]
            cuts += 1
            cut += 1
    plan.cut_count = cuts
    return 0
