"""The series whose labels a gateway has written lately, of one tenant, as kernels see them: an open-addressed table by the
128-bit hash; the contract is in written_labels.pyi, the reasons in docs/decisions/0021-labels-once.md.

Where a search begins follows from a keyed mix of the hash, so no sender can aim at a place in the table.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from wire.series_set cimport Budget, FOREBAY_PREFETCH, SeriesBudget, pthread_mutex_t
from wire.murmur3 cimport _fmix64

cdef enum:
    PARTITION_BITS = 20
    NEVER = -1

cdef struct WrittenSlot:
    uint64_t low
    uint64_t high
    uint64_t word         # append time of the labels, ms, above the partition; 0 where the slot is free

cdef struct Written:
    pthread_mutex_t mutex
    Budget* budget
    WrittenSlot* slots
    uint64_t size         # a power of two, or 0
    int shift             # from a mixed hash to a slot
    uint64_t count
    uint64_t unplaced     # labels that found no memory
    int64_t window        # R, ms
    int32_t partitions
    # By partition, NEVER where nothing is known:
    int64_t* offsets      # of the record that was appended last
    int64_t* times        # its append time

cdef struct Lesson:
    # A series that was written with its labels.
    uint64_t low
    uint64_t high
    uint32_t record

cdef struct Reliance:
    # Of one record.
    uint32_t partition
    int64_t oldest        # append time of the oldest labels that it relies on; NEVER where it does on none
    int64_t behind        # the offset that they are not behind of

cdef struct Notes:
    # Begins zeroed; what it points to is its owner's to free.
    Lesson* lessons
    size_t lesson_count
    size_t lesson_room
    Reliance* records
    size_t record_count

cdef inline WrittenSlot* written_slot(const Written* t, uint64_t low, uint64_t high) noexcept nogil:
    """The slot of this hash, or the free one where it would stand; of a table that has slots."""
    cdef uint64_t at = _fmix64(low ^ t.budget.key) >> t.shift
    while t.slots[at].word and (t.slots[at].low != low or t.slots[at].high != high):
        at = (at + 1) & (t.size - 1)
    return t.slots + at

cdef inline void written_prefetch(const Written* t, uint64_t low) noexcept nogil:
    """Asks for the memory that `written_when` of the same hash will look at."""
    cdef const WrittenSlot* slot
    if t.size:
        slot = t.slots + (_fmix64(low ^ t.budget.key) >> t.shift)
        FOREBAY_PREFETCH(slot)
        FOREBAY_PREFETCH(<const char*>slot + 23)

cdef inline int64_t written_when(const Written* t, uint64_t low, uint64_t high, uint32_t partition, int64_t now) noexcept nogil:
    """When its labels were appended, where they may be left out now; else NEVER. The caller holds the mutex.

    Labels are written anew after 11/16 to 15/16 of the window, when it is the turn of this hash.
    """
    cdef WrittenSlot* slot
    cdef int64_t when, lasts
    if t.size == 0:
        return NEVER
    slot = written_slot(t, low, high)
    if slot.word == 0 or slot.word & ((1 << PARTITION_BITS) - 1) != partition:
        return NEVER
    when = <int64_t>(slot.word >> PARTITION_BITS)
    lasts = t.window * 11 // 16 + <int64_t>((high >> 56) * <uint64_t>t.window >> 10)
    return when if max(now, t.times[partition]) - when < lasts else NEVER

cdef class WrittenLabels:
    cdef Written written
    cdef SeriesBudget _budget

cdef class LabelNotes:
    cdef Notes notes
    cdef WrittenLabels _labels
