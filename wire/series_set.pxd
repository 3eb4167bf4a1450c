"""A tenant's active series as a kernel sees them: hashes in an open-addressed table, each with the generation it was last
seen in; the contract is in series_set.pyi.

A word of the table holds the mixed hash, but for its lowest three bits: there stands the generation, from 1 to 7, and 0
where the word is free. Mixing is a bijection with a key of the process, so no sender can aim at a place in the table.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from wire.murmur3 cimport _fmix64

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, const void*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

cdef extern from *:
    """
    #define FOREBAY_ADD(at, n) __atomic_add_fetch((at), (n), __ATOMIC_RELAXED)
    #define FOREBAY_PREFETCH(at) __builtin_prefetch(at)
    """
    int64_t FOREBAY_ADD(int64_t* at, int64_t n) noexcept nogil
    void FOREBAY_PREFETCH(const void* at) noexcept nogil

cdef enum:
    STAMPS = 7            # generations that can be told apart
    STAMP_MASK = 7
    LIVES = 4             # generations after its last one in which a series is active
    LEAST_SLOTS = 64
    # What becomes of a series.
    SERIES_ACTIVE = 0
    SERIES_REFUSED = 1

cdef struct Budget:
    int64_t used
    int64_t limit
    uint64_t key

cdef struct ActiveSeries:
    pthread_mutex_t mutex
    Budget* budget
    uint64_t* slots
    uint64_t size         # a power of two, or 0
    int shift             # from a mixed hash to a slot
    uint64_t count        # words that are taken
    int64_t generation
    uint64_t limit        # of `count` for what is admitted; all ones for none
    uint64_t allowance    # how many more may be admitted before it is set again; all ones for any
    bint shared
    uint64_t* fresh       # hashes first seen in this generation and not handed on yet
    uint64_t fresh_count
    uint64_t fresh_room
    uint64_t uncounted    # passed although unknown, because there was no memory to know them
    uint64_t unshared     # not among `fresh`, for the same reason

cdef inline uint64_t _stamp(int64_t generation) noexcept nogil:
    return <uint64_t>((generation + STAMPS) % STAMPS) + 1

cdef inline uint64_t mixed_hash(const ActiveSeries* a, uint64_t hashed) noexcept nogil:
    return _fmix64(hashed ^ a.budget.key)

cdef inline uint64_t word_of(uint64_t mixed, int64_t generation) noexcept nogil:
    return (mixed & ~<uint64_t>STAMP_MASK) | _stamp(generation)

cdef inline uint64_t* slot_of(const ActiveSeries* a, uint64_t mixed) noexcept nogil:
    """The word of this hash, or the free one where it would stand."""
    cdef uint64_t at = mixed >> a.shift
    while a.slots[at] and (a.slots[at] ^ mixed) & ~<uint64_t>STAMP_MASK:
        at = (at + 1) & (a.size - 1)
    return a.slots + at

cdef inline bint budget_take(Budget* budget, int64_t more) noexcept nogil:
    if FOREBAY_ADD(&budget.used, more) > budget.limit:
        FOREBAY_ADD(&budget.used, -more)
        return False
    return True

cdef inline bint resize_table(ActiveSeries* a, uint64_t size) noexcept nogil:
    """A table of so many slots with the same words in it; False where there is no memory, and nothing has changed."""
    cdef ActiveSeries grown = a[0]
    cdef int64_t more = <int64_t>(size - a.size) * 8
    cdef uint64_t i
    if more > 0 and not budget_take(a.budget, more):
        return False
    grown.slots = <uint64_t*>calloc(size, 8)
    if grown.slots == NULL:
        if more > 0:
            FOREBAY_ADD(&a.budget.used, -more)
        return False
    grown.size = size
    grown.shift = 64
    while size > 1:
        size >>= 1
        grown.shift -= 1
    for i in range(a.size):
        if a.slots[i]:
            slot_of(&grown, a.slots[i])[0] = a.slots[i]
    if more < 0:
        FOREBAY_ADD(&a.budget.used, more)
    free(a.slots)
    a.slots = grown.slots
    a.size = grown.size
    a.shift = grown.shift
    return True

cdef inline bint has_room(ActiveSeries* a) noexcept nogil:
    """Room for one word more: at most three quarters are taken, so that searches stay short."""
    if (a.count + 1) * 4 <= a.size * 3:
        return True
    return resize_table(a, a.size * 2 if a.size else LEAST_SLOTS)

cdef inline void _hand_on(ActiveSeries* a, uint64_t hashed) noexcept nogil:
    cdef uint64_t room
    cdef void* data
    if a.fresh_count == a.fresh_room:
        room = a.fresh_room * 2 if a.fresh_room else LEAST_SLOTS
        if not budget_take(a.budget, <int64_t>(room - a.fresh_room) * 8):
            a.unshared += 1
            return
        data = realloc(a.fresh, room * 8)
        if data == NULL:
            FOREBAY_ADD(&a.budget.used, -<int64_t>(room - a.fresh_room) * 8)
            a.unshared += 1
            return
        a.fresh = <uint64_t*>data
        a.fresh_room = room
    a.fresh[a.fresh_count] = hashed
    a.fresh_count += 1

cdef inline void active_prefetch(const ActiveSeries* a, uint64_t hashed) noexcept nogil:
    """Asks for the memory that `active_admit` of the same hash will look at."""
    if a.size:
        FOREBAY_PREFETCH(a.slots + (mixed_hash(a, hashed) >> a.shift))

cdef inline int active_admit(ActiveSeries* a, uint64_t hashed) noexcept nogil:
    """SERIES_ACTIVE for a series that is known, or is now; SERIES_REFUSED for a new one above the limit.

    The caller holds the mutex.
    """
    cdef uint64_t mixed = mixed_hash(a, hashed)
    cdef uint64_t word = word_of(mixed, a.generation)
    cdef uint64_t* slot
    if a.size:
        slot = slot_of(a, mixed)
        if slot[0] == word:
            return SERIES_ACTIVE
        if slot[0]:
            slot[0] = word
            if a.shared:
                _hand_on(a, hashed)
            return SERIES_ACTIVE
    if a.count >= a.limit or a.allowance == 0:
        return SERIES_REFUSED
    if not has_room(a):
        a.uncounted += 1
        return SERIES_ACTIVE
    slot_of(a, mixed)[0] = word
    a.count += 1
    if a.allowance != <uint64_t>-1:
        a.allowance -= 1
    if a.shared:
        _hand_on(a, hashed)
    return SERIES_ACTIVE

cdef class SeriesBudget:
    cdef Budget budget

cdef class SeriesSet:
    cdef ActiveSeries active
    cdef SeriesBudget _budget
