"""A tenant's active series; the table itself is in series_set.pxd, the contract in series_set.pyi."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from wire.series_set cimport (
    ActiveSeries, FOREBAY_ADD, LEAST_SLOTS, LIVES, SERIES_ACTIVE, STAMP_MASK, STAMPS, active_admit, has_room, mixed_hash,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, resize_table, slot_of, word_of
)

import secrets

ACTIVE_GENERATIONS = LIVES
cdef uint64_t _UNBOUNDED = <uint64_t>-1


cdef int64_t age_of(const ActiveSeries* a, uint64_t word) noexcept nogil:
    """Generations since the word's own, which lies at most LIVES back."""
    return (a.generation - <int64_t>(word & STAMP_MASK) + 1 + STAMPS) % STAMPS


cdef void sweep(ActiveSeries* a, int64_t generation) noexcept nogil:
    """Goes on to `generation` and forgets what is older than it may be; a table that is mostly free becomes smaller."""
    cdef int64_t later = generation - a.generation
    cdef uint64_t size = a.size
    cdef uint64_t kept = 0
    cdef uint64_t i
    cdef uint64_t* slots
    if later <= 0:
        return
    for i in range(a.size):
        if a.slots[i] and age_of(a, a.slots[i]) + later > LIVES:
            a.slots[i] = 0
        kept += a.slots[i] != 0
    a.generation = generation
    if kept == a.count:
        return
    a.count = kept
    while size > LEAST_SLOTS and kept * 4 < size:
        size >>= 1
    if kept == 0:
        FOREBAY_ADD(&a.budget.used, -<int64_t>a.size * 8)
        free(a.slots)
        a.slots = NULL
        a.size = 0
    elif size == a.size or not resize_table(a, size):
        repair(a)


cdef void repair(ActiveSeries* a) noexcept nogil:
    """Makes every word reachable again after others were taken out, in place.

    A word that stands behind a free one is put where a search finds it first; each round moves some nearer to where
    they belong, and the last one moves none.
    """
    cdef bint moved = True
    cdef uint64_t word, i
    cdef uint64_t* slot
    while moved:
        moved = False
        for i in range(a.size):
            word = a.slots[i]
            if word:
                slot = slot_of(a, word)
                if slot != a.slots + i:
                    slot[0] = word
                    a.slots[i] = 0
                    moved = True


cdef uint64_t merge(ActiveSeries* a, const uint8_t* data, uint64_t count, int64_t generation) noexcept nogil:
    """Takes hashes that others have seen; returns those that were new."""
    cdef int64_t age = a.generation - generation if generation < a.generation else 0
    cdef uint64_t hashed, mixed, i
    cdef uint64_t added = 0
    cdef uint64_t* slot
    if age > LIVES:
        return 0
    for i in range(count):
        memcpy(&hashed, data + 8 * i, 8)
        mixed = mixed_hash(a, hashed)
        if a.size:
            slot = slot_of(a, mixed)
            if slot[0]:
                if age_of(a, slot[0]) > age:
                    slot[0] = word_of(mixed, a.generation - age)
                continue
        if not has_room(a):
            a.uncounted += 1
            continue
        slot_of(a, mixed)[0] = word_of(mixed, a.generation - age)
        a.count += 1
        added += 1
    return added


cdef class SeriesBudget:
    def __init__(self, int64_t limit_bytes):
        self.budget.used = 0
        self.budget.limit = limit_bytes
        self.budget.key = secrets.randbits(64)

    @property
    def used(self):
        return self.budget.used


cdef class SeriesSet:
    def __cinit__(self, SeriesBudget budget not None, int64_t generation, *, limit=0, bint shared=False):
        if generation < 0:
            raise ValueError(f"generation must be at least 0 (got {generation})")
        memset(&self.active, 0, sizeof(ActiveSeries))
        if pthread_mutex_init(&self.active.mutex, NULL):
            raise MemoryError
        self._budget = budget
        self.active.budget = &budget.budget
        self.active.generation = generation
        self.active.allowance = _UNBOUNDED
        self.active.shared = shared
        self.limit = limit

    def __dealloc__(self):
        if self.active.budget != NULL:
            FOREBAY_ADD(&self.active.budget.used, -<int64_t>(self.active.size + self.active.fresh_room) * 8)
            pthread_mutex_destroy(&self.active.mutex)
        free(self.active.slots)
        free(self.active.fresh)

    def __len__(self):
        return self.active.count

    @property
    def memory(self):
        return (self.active.size + self.active.fresh_room) * 8

    @property
    def uncounted(self):
        return self.active.uncounted

    @property
    def unshared(self):
        return self.active.unshared

    @property
    def limit(self):
        return 0 if self.active.limit == _UNBOUNDED else self.active.limit

    @limit.setter
    def limit(self, value):
        self.active.limit = value or _UNBOUNDED

    @property
    def allowance(self):
        return None if self.active.allowance == _UNBOUNDED else self.active.allowance

    @allowance.setter
    def allowance(self, value):
        cdef uint64_t wanted = _UNBOUNDED if value is None else value
        with nogil:
            pthread_mutex_lock(&self.active.mutex)
            self.active.allowance = wanted
            pthread_mutex_unlock(&self.active.mutex)

    def advance(self, int64_t generation):
        with nogil:
            pthread_mutex_lock(&self.active.mutex)
            sweep(&self.active, generation)
            pthread_mutex_unlock(&self.active.mutex)

    def admit(self, const uint8_t[::1] hashes not None):
        cdef uint64_t i, hashed
        cdef uint64_t count = hashes.shape[0] // 8
        cdef uint64_t admitted = 0
        with nogil:
            pthread_mutex_lock(&self.active.mutex)
            for i in range(count):
                memcpy(&hashed, &hashes[8 * i], 8)
                admitted += active_admit(&self.active, hashed) == SERIES_ACTIVE
            pthread_mutex_unlock(&self.active.mutex)
        return admitted

    def merge(self, const uint8_t[::1] hashes not None, int64_t generation):
        cdef uint64_t added = 0
        if hashes.shape[0] >= 8:
            with nogil:
                pthread_mutex_lock(&self.active.mutex)
                added = merge(&self.active, &hashes[0], hashes.shape[0] // 8, generation)
                pthread_mutex_unlock(&self.active.mutex)
        return added

    def take_fresh(self):
        cdef uint64_t* fresh
        cdef uint64_t count, room
        with nogil:
            pthread_mutex_lock(&self.active.mutex)
            fresh = self.active.fresh
            count = self.active.fresh_count
            room = self.active.fresh_room
            self.active.fresh = NULL
            self.active.fresh_count = 0
            self.active.fresh_room = 0
            pthread_mutex_unlock(&self.active.mutex)
        FOREBAY_ADD(&self.active.budget.used, -<int64_t>room * 8)
        try:
            return (<const char*>fresh)[:count * 8] if count else b""
        finally:
            free(fresh)
