"""What a gateway knows of labels in the log; the table itself is in written_labels.pxd, the contract in written_labels.pyi."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from wire.series_set cimport (
    FOREBAY_ADD, LEAST_SLOTS, SeriesBudget, budget_take, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock,
    pthread_mutex_unlock
)
from wire.written_labels cimport (
    Lesson, NEVER, PARTITION_BITS, Reliance, Written, WrittenSlot, written_slot
)

cdef int64_t LATEST = (<int64_t>1 << (63 - PARTITION_BITS)) - 1  # of times that a slot can hold


cdef bint resize(Written* t, uint64_t size) noexcept nogil:
    """A table of so many slots with the same series in it; False where there is no memory, and nothing has changed."""
    cdef Written resized = t[0]
    cdef int64_t more = (<int64_t>size - <int64_t>t.size) * <int64_t>sizeof(WrittenSlot)
    cdef uint64_t i
    if more > 0 and not budget_take(t.budget, more):
        return False
    resized.slots = <WrittenSlot*>calloc(size, sizeof(WrittenSlot))
    if resized.slots == NULL:
        if more > 0:
            FOREBAY_ADD(&t.budget.used, -more)
        return False
    resized.size = size
    resized.shift = 64
    while size > 1:
        size >>= 1
        resized.shift -= 1
    for i in range(t.size):
        if t.slots[i].word:
            written_slot(&resized, t.slots[i].low, t.slots[i].high)[0] = t.slots[i]
    if more < 0:
        FOREBAY_ADD(&t.budget.used, more)
    free(t.slots)
    t.slots = resized.slots
    t.size = resized.size
    t.shift = resized.shift
    return True


cdef void forget(Written* t) noexcept nogil:
    cdef int32_t i
    FOREBAY_ADD(&t.budget.used, -<int64_t>(t.size * sizeof(WrittenSlot)))
    free(t.slots)
    t.slots = NULL
    t.size = 0
    t.count = 0
    for i in range(t.partitions):
        t.offsets[i] = NEVER
        t.times[i] = NEVER


cdef void keep(Written* t, const Lesson* lesson, uint32_t partition, int64_t when) noexcept nogil:
    """At most seven eighths of the slots are taken, so that searches end."""
    cdef uint64_t word = <uint64_t>when << PARTITION_BITS | partition
    cdef WrittenSlot* slot
    if t.size:
        slot = written_slot(t, lesson.low, lesson.high)
        if slot.word:
            slot.word = max(slot.word, word)
            return
    if (t.count + 1) * 8 > t.size * 7 and not resize(t, t.size * 2 if t.size else LEAST_SLOTS):
        t.unplaced += 1
        return
    slot = written_slot(t, lesson.low, lesson.high)
    slot.low = lesson.low
    slot.high = lesson.high
    slot.word = word
    t.count += 1


cdef void drop_older(Written* t, int64_t than) noexcept nogil:
    """What is left is put where a search finds it; a table that is mostly free becomes smaller."""
    cdef uint64_t size = t.size
    cdef uint64_t kept = 0
    cdef uint64_t i
    for i in range(t.size):
        if t.slots[i].word and <int64_t>(t.slots[i].word >> PARTITION_BITS) < than:
            t.slots[i].word = 0
        kept += t.slots[i].word != 0
    if kept == t.count:
        return
    t.count = kept
    while size > LEAST_SLOTS and kept * 4 < size:
        size >>= 1
    if kept == 0:
        FOREBAY_ADD(&t.budget.used, -<int64_t>(t.size * sizeof(WrittenSlot)))
        free(t.slots)
        t.slots = NULL
        t.size = 0
    elif not resize(t, size):
        repair(t)


cdef void repair(Written* t) noexcept nogil:
    """As in series_set.pyx: moves what stands behind a free slot nearer to where it belongs, until nothing moves."""
    cdef bint moved = True
    cdef WrittenSlot held
    cdef WrittenSlot* slot
    cdef uint64_t i
    while moved:
        moved = False
        for i in range(t.size):
            held = t.slots[i]
            if held.word:
                slot = written_slot(t, held.low, held.high)
                if slot != t.slots + i:
                    slot[0] = held
                    t.slots[i].word = 0
                    moved = True


cdef class WrittenLabels:
    def __cinit__(self, SeriesBudget budget not None, int32_t partitions, int64_t window_ms):
        cdef int32_t i
        memset(&self.written, 0, sizeof(Written))
        if not 1 <= partitions < 1 << PARTITION_BITS or not 0 < window_ms < LATEST >> 10:
            raise ValueError(f"no written labels: partitions={partitions} window_ms={window_ms}")
        self.written.offsets = <int64_t*>malloc(2 * partitions * sizeof(int64_t))
        if self.written.offsets == NULL or pthread_mutex_init(&self.written.mutex, NULL):
            raise MemoryError
        self._budget = budget
        self.written.budget = &budget.budget
        self.written.times = self.written.offsets + partitions
        self.written.window = window_ms
        self.written.partitions = partitions
        forget(&self.written)

    def __dealloc__(self):
        if self.written.budget != NULL:
            forget(&self.written)
            pthread_mutex_destroy(&self.written.mutex)
        free(self.written.offsets)

    def __len__(self):
        return self.written.count

    @property
    def memory(self):
        return self.written.size * sizeof(WrittenSlot)

    @property
    def partitions(self):
        return self.written.partitions

    @property
    def unplaced(self):
        return self.written.unplaced

    def sweep(self, int64_t now_ms):
        with nogil:
            pthread_mutex_lock(&self.written.mutex)
            drop_older(&self.written, now_ms - self.written.window)
            pthread_mutex_unlock(&self.written.mutex)


cdef bint note_place(Written* t, const Reliance* record, int64_t offset, int64_t when) noexcept nogil:
    """Takes note of where a record lies; whether what it relies on is surely found from there."""
    cdef bint found = True
    cdef uint32_t p = record.partition
    if offset < 0 or when <= 0 or when > LATEST:
        return record.oldest == NEVER
    if record.oldest != NEVER:
        found = when - record.oldest <= t.window and offset > record.behind
    # The log is another one, or its clock is: what was known is of no use.
    if (record.oldest != NEVER and offset <= record.behind) or when < t.times[p] - t.window:
        forget(t)
        found = record.oldest == NEVER
    if when > t.times[p]:
        t.times[p] = when
    if offset > t.offsets[p]:
        t.offsets[p] = offset
    return found


cdef class LabelNotes:
    def __cinit__(self, WrittenLabels labels not None):
        memset(&self.notes, 0, sizeof(self.notes))
        self._labels = labels

    def __dealloc__(self):
        free(self.notes.lessons)
        free(self.notes.records)

    @property
    def labelled(self):
        return self.notes.lesson_count

    def learn(self, appended):
        cdef Written* t = &self._labels.written
        cdef size_t count = self.notes.record_count
        cdef size_t i
        cdef int64_t* places
        cdef Lesson* lesson
        if len(appended) != count:
            raise ValueError(f"not as many places as records: places={len(appended)} records={count}")
        places = <int64_t*>malloc((2 * count + 1) * sizeof(int64_t))
        if places == NULL:
            raise MemoryError
        try:
            for i, (offset, append_time) in enumerate(appended):
                places[2 * i] = offset
                places[2 * i + 1] = append_time
            with nogil:
                pthread_mutex_lock(&t.mutex)
                for i in range(count):
                    if note_place(t, &self.notes.records[i], places[2 * i], places[2 * i + 1]):
                        self.notes.records[i].oldest = NEVER
                for i in range(self.notes.lesson_count):
                    lesson = &self.notes.lessons[i]
                    if places[2 * lesson.record] >= 0 and 0 < places[2 * lesson.record + 1] <= LATEST:
                        keep(t, lesson, self.notes.records[lesson.record].partition, places[2 * lesson.record + 1])
                pthread_mutex_unlock(&t.mutex)
            return [i for i in range(count) if self.notes.records[i].oldest != NEVER]
        finally:
            free(places)
