"""Records of version 2, laid out and written: entries with labels, entries with hashes, rows in columns.

Source of the format: docs/formats.md, "Record, version 2".
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from wire.cursor cimport varint_size, write_varint
from wire.plan cimport (
    Cut, Entry, IN_SCRATCH, IS_CUT, IS_HASHED, IS_METADATA, Key, NO_RECORD, PLACE_MASK, Plan, _add_record, _grown,
    entry_bytes
)
from wire.written_labels cimport Lesson, NEVER, Notes, Reliance

cdef enum:
    HASH_BYTES = 16
    HASH_FIELD_BYTES = 18    # with tag and length
    ROW_BYTES = 24           # of hash and value
    MAX_TIME_BYTES = 10
    OVERHEAD = 32            # the window, and what frames the rows: at most so much
    WINDOW_TAG = 0x28
    HASHED_TAG = 0x32
    ROWS_TAG = 0x3A
    HASH_TAG = 0x7A

cdef struct RecordColumns:
    uint32_t labelled        # bytes of entries with labels and of metadata
    uint32_t hashed          # bytes
    uint32_t rows            # how many
    uint32_t times           # bytes
    int64_t last             # time of the row added last
    # Where the next of each goes:
    uint8_t* labelled_at
    uint8_t* hashed_at
    uint8_t* hash_at
    uint8_t* time_at
    uint8_t* value_at

cdef struct Columns:
    # Begins zeroed.
    RecordColumns* records   # as many as the plan has
    size_t room
    int64_t* oldest          # by slot: append time of the oldest labels that its records rely on, or NEVER
    int64_t* behind          # by partition: the offset that those labels are not behind of

cdef inline void columns_free(Columns* c) noexcept nogil:
    free(c.records)
    free(c.oldest)
    memset(c, 0, sizeof(Columns))

cdef inline int columns_open(Columns* c, uint32_t slots, uint32_t partitions) noexcept nogil:
    cdef uint32_t i
    c.oldest = <int64_t*>malloc((<size_t>slots + partitions) * sizeof(int64_t))
    if c.oldest == NULL:
        return -1
    c.behind = c.oldest + slots
    for i in range(slots):
        c.oldest[i] = NEVER
    return 0

cdef inline uint64_t zigzag(uint64_t delta) noexcept nogil:
    return delta << 1 ^ <uint64_t>(<int64_t>delta >> 63)

cdef inline uint64_t columns_bytes(uint64_t entries, uint64_t rows, uint64_t times) noexcept nogil:
    """Of a record that leaves labels out, at most."""
    return entries + rows * ROW_BYTES + times + OVERHEAD

cdef inline uint64_t _rows_bytes(const RecordColumns* r) noexcept nogil:
    """Of the field's payload."""
    return varint_size(r.rows) + <uint64_t>r.rows * ROW_BYTES + r.times

cdef inline uint64_t _record_bytes(const RecordColumns* r, int64_t window) noexcept nogil:
    cdef uint64_t size = r.labelled
    if r.hashed or r.rows:
        size += 1 + varint_size(window) + r.hashed
    return size + entry_bytes(_rows_bytes(r)) if r.rows else size

cdef inline bint _fits(const RecordColumns* r, const Entry* entry, uint32_t max_record_bytes) noexcept nogil:
    cdef uint64_t entries = <uint64_t>r.labelled + r.hashed
    cdef uint64_t rows = r.rows
    if entry.size:
        entries += entry_bytes(entry.size)
    else:
        rows += 1
    if rows == 0 and r.hashed == 0 and not entry.place & IS_HASHED:
        return entries <= max_record_bytes
    return columns_bytes(entries, rows, r.times + MAX_TIME_BYTES) <= max_record_bytes

cdef inline void _take(RecordColumns* r, const Entry* entry, const Key* key) noexcept nogil:
    if entry.size == 0:
        r.times += varint_size(zigzag(<uint64_t>key.time - <uint64_t>r.last))
        r.last = key.time
        r.rows += 1
    elif entry.place & IS_HASHED:
        r.hashed += <uint32_t>entry_bytes(entry.size)
    else:
        r.labelled += <uint32_t>entry_bytes(entry.size)

cdef inline int _open_record(Plan* plan, Columns* c, uint32_t slot) noexcept nogil:
    cdef void* records = _grown(c.records, &c.room, plan.record_count + 1, sizeof(RecordColumns))
    if records == NULL or _add_record(plan, slot) < 0:
        return -1
    c.records = <RecordColumns*>records
    memset(&c.records[plan.record_count - 1], 0, sizeof(RecordColumns))
    return 0

cdef inline int plan_columns(
    Plan* plan, Columns* c, uint32_t slots, uint32_t max_record_bytes, int64_t window
) noexcept nogil:
    """As `plan_records`, once it is known which entries go without labels; -1 without memory."""
    cdef uint32_t* current = <uint32_t*>malloc(slots * sizeof(uint32_t))
    cdef Entry* entry
    cdef uint32_t slot, record
    cdef size_t i
    if current == NULL:
        return -1
    memset(current, 0xFF, slots * sizeof(uint32_t))
    for i in range(plan.count):
        entry = &plan.entries[i]
        slot = entry.place & PLACE_MASK
        record = current[slot]
        if record == NO_RECORD or not _fits(&c.records[record], entry, max_record_bytes):
            record = <uint32_t>plan.record_count
            if _open_record(plan, c, slot) < 0:
                free(current)
                return -1
            current[slot] = record
        _take(&c.records[record], entry, &plan.keys[i] if i < plan.key_count else NULL)
        entry.place = (entry.place & ~<uint32_t>PLACE_MASK) | record
    free(current)
    for i in range(plan.record_count):
        plan.records[i].size = <uint32_t>_record_bytes(&c.records[i], window)
    return 0

cdef inline bint _teaches(const Plan* plan, size_t number) noexcept nogil:
    """Whether the entry, of those up to the last with a key, is a series with its labels."""
    cdef const Entry* entry = &plan.entries[number]
    return entry.size != 0 and not entry.place & IS_HASHED and plan.keys[number].elements_size != 0

cdef inline int columns_note(const Plan* plan, const Columns* c, uint32_t partitions, Notes* notes) noexcept nogil:
    """What the records rely on and what they teach; -1 without memory."""
    cdef Lesson* lesson
    cdef const RecordColumns* r
    cdef uint32_t slot
    cdef size_t labelled = 0
    cdef size_t i
    for i in range(plan.key_count):
        labelled += _teaches(plan, i)
    notes.lessons = <Lesson*>malloc((labelled + 1) * sizeof(Lesson))
    notes.records = <Reliance*>malloc((plan.record_count + 1) * sizeof(notes.records[0]))
    if notes.lessons == NULL or notes.records == NULL:
        return -1
    for i in range(plan.key_count):
        if _teaches(plan, i):
            lesson = &notes.lessons[notes.lesson_count]
            lesson.low = plan.keys[i].low
            lesson.high = plan.keys[i].high
            lesson.record = plan.entries[i].place & PLACE_MASK
            notes.lesson_count += 1
    for i in range(plan.record_count):
        r = &c.records[i]
        slot = plan.records[i].slot
        notes.records[i].partition = slot % partitions
        notes.records[i].oldest = c.oldest[slot] if r.hashed or r.rows else NEVER
        notes.records[i].behind = c.behind[slot % partitions]
    notes.record_count = plan.record_count
    return 0

cdef inline void _lay_out(RecordColumns* r, uint8_t* p, int64_t window) noexcept nogil:
    """Writes what frames the parts of a record at `p`, and says where each part goes."""
    r.labelled_at = p
    p += r.labelled
    if not r.hashed and not r.rows:
        return
    p[0] = WINDOW_TAG
    p = write_varint(p + 1, window)
    r.hashed_at = p
    p += r.hashed
    if not r.rows:
        return
    p[0] = ROWS_TAG
    p = write_varint(p + 1, _rows_bytes(r))
    p = write_varint(p, r.rows)
    r.hash_at = p
    r.time_at = p + <size_t>r.rows * HASH_BYTES
    r.value_at = r.time_at + r.times
    r.last = 0

cdef inline void _write_row(RecordColumns* r, const Key* key) noexcept nogil:
    cdef uint64_t bits = key.bits
    cdef uint8_t* p = r.value_at
    cdef int k
    memcpy(r.hash_at, &key.low, 8)
    memcpy(r.hash_at + 8, &key.high, 8)
    r.hash_at += HASH_BYTES
    r.time_at = write_varint(r.time_at, zigzag(<uint64_t>key.time - <uint64_t>r.last))
    r.last = key.time
    for k in range(8):
        p[0] = <uint8_t>bits
        bits >>= 8
        p += r.rows
    r.value_at += 1

cdef inline void columns_write(Plan* plan, Columns* c, const uint8_t* body, int64_t window) noexcept nogil:
    """As `plan_write`."""
    cdef const Entry* entry
    cdef const Key* key
    cdef RecordColumns* r
    cdef const uint8_t* source
    cdef const Cut* cut = plan.cuts
    cdef uint8_t* p
    cdef size_t i
    for i in range(plan.record_count):
        _lay_out(&c.records[i], plan.records[i].end, window)
    for i in range(plan.count):
        entry = &plan.entries[i]
        r = &c.records[entry.place & PLACE_MASK]
        if entry.size == 0:
            _write_row(r, &plan.keys[i])
            continue
        source = <const uint8_t*>plan.scratch if entry.place & IN_SCRATCH else body
        if entry.place & IS_HASHED:
            key = &plan.keys[i]
            p = r.hashed_at
            p[0] = HASHED_TAG
            p = write_varint(p + 1, entry.size)
            p[0] = HASH_TAG
            p[1] = HASH_BYTES
            memcpy(p + 2, &key.low, 8)
            memcpy(p + 10, &key.high, 8)
            memcpy(p + HASH_FIELD_BYTES, source + key.elements, key.elements_size)
            r.hashed_at = p + entry.size
            continue
        p = r.labelled_at
        p[0] = 0x1A if entry.place & IS_METADATA else 0x0A
        p = write_varint(p + 1, entry.size)
        source += entry.offset
        if entry.place & IS_CUT:
            memcpy(p, source, cut.offset)
            memcpy(p + cut.offset, source + cut.offset + cut.size, entry.size - cut.offset)
            cut += 1
        else:
            memcpy(p, source, entry.size)
        r.labelled_at = p + entry.size
