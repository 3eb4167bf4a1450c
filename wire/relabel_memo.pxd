"""What RE2 said about values it has seen: a bounded memory of one relabelling at a time.

Two generations: what is asked for again moves to the young one, and when that is full the old one is forgotten. Pieces
of memory stay valid between two calls of `memo_turn`. A value that is looked for in a few places only, and overwrites
another where those are taken, keeps hostile values from making a lookup long.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from wire.arena cimport Arena, arena_free, arena_take
from wire.murmur3 cimport murmur3_x64_128

cdef enum:
    MEMO_PROBES = 16
    MEMO_FIRST_ROOM = 256

cdef struct Text:
    const uint8_t* data
    uint32_t size

cdef struct MemoEntry:
    uint64_t hash
    uint32_t rule
    bint matched
    Text value
    Text target
    Text result

cdef struct MemoTable:
    MemoEntry** entries
    size_t room           # a power of two
    size_t count
    Arena arena

cdef struct Memo:
    # Begins zeroed, but for the bound.
    MemoTable young
    MemoTable old
    size_t max_bytes      # of one generation

cdef inline size_t _table_bytes(const MemoTable* table) noexcept nogil:
    return table.arena.bytes + table.room * sizeof(MemoEntry*)

cdef inline size_t memo_bytes(const Memo* memo) noexcept nogil:
    return _table_bytes(&memo.young) + _table_bytes(&memo.old)

cdef inline void _table_free(MemoTable* table) noexcept nogil:
    free(table.entries)
    arena_free(&table.arena)
    table.entries = NULL
    table.room = 0
    table.count = 0

cdef inline void memo_free(Memo* memo) noexcept nogil:
    _table_free(&memo.young)
    _table_free(&memo.old)

cdef inline bint memo_turn(Memo* memo) noexcept nogil:
    """Makes room where the young generation has grown to its bound; whether entries that were found before are gone."""
    if _table_bytes(&memo.young) <= memo.max_bytes:
        return False
    _table_free(&memo.old)
    memo.old = memo.young
    memo.young.entries = NULL
    memo.young.room = 0
    memo.young.count = 0
    memo.young.arena.first = NULL
    memo.young.arena.bytes = 0
    return True

cdef inline uint64_t memo_hash(uint32_t rule, Text value) noexcept nogil:
    return murmur3_x64_128(value.data, value.size, rule).low

cdef inline MemoEntry* _table_find(const MemoTable* table, uint64_t hash, uint32_t rule, Text value) noexcept nogil:
    cdef size_t mask = table.room - 1
    cdef size_t at = hash & mask
    cdef MemoEntry* entry
    cdef int i
    if table.room == 0:
        return NULL
    for i in range(MEMO_PROBES):
        entry = table.entries[at]
        if entry == NULL:
            return NULL
        if (
            entry.hash == hash
            and entry.rule == rule
            and entry.value.size == value.size
            and memcmp(entry.value.data, value.data, value.size) == 0
        ):
            return entry
        at = (at + 1) & mask
    return NULL

cdef inline void _table_place(MemoTable* table, MemoEntry* entry) noexcept nogil:
    cdef size_t mask = table.room - 1
    cdef size_t at = entry.hash & mask
    cdef int i
    for i in range(MEMO_PROBES):
        if table.entries[at] == NULL:
            table.count += 1
            break
        if i < MEMO_PROBES - 1:
            at = (at + 1) & mask
    table.entries[at] = entry

cdef inline int _table_grow(MemoTable* table) noexcept nogil:
    cdef size_t room = table.room
    cdef MemoEntry** entries = table.entries
    cdef size_t i
    table.room = room * 2 if room else MEMO_FIRST_ROOM
    table.entries = <MemoEntry**>calloc(table.room, sizeof(MemoEntry*))
    if table.entries == NULL:
        table.room = room
        table.entries = entries
        return -1
    table.count = 0
    for i in range(room):
        if entries[i] != NULL:
            _table_place(table, entries[i])
    free(entries)
    return 0

cdef inline int _copied(Arena* arena, Text text, Text* out) noexcept nogil:
    cdef uint8_t* data = arena_take(arena, text.size)
    if data == NULL:
        return -1
    memcpy(data, text.data, text.size)
    out.data = data
    out.size = text.size
    return 0

cdef inline const MemoEntry* memo_add(Memo* memo, const MemoEntry* known) noexcept nogil:
    """A copy of an entry, texts and all, in the young generation; NULL without memory."""
    cdef MemoTable* table = &memo.young
    cdef MemoEntry* entry
    if table.count * 2 >= table.room and _table_grow(table) < 0:
        return NULL
    entry = <MemoEntry*>arena_take(&table.arena, sizeof(MemoEntry))
    if entry == NULL:
        return NULL
    entry[0] = known[0]
    if (
        _copied(&table.arena, known.value, &entry.value) < 0
        or _copied(&table.arena, known.target, &entry.target) < 0
        or _copied(&table.arena, known.result, &entry.result) < 0
    ):
        return NULL
    _table_place(table, entry)
    return entry

cdef inline const MemoEntry* memo_find(Memo* memo, uint64_t hash, uint32_t rule, Text value) noexcept nogil:
    """NULL where it is not known."""
    cdef const MemoEntry* entry = _table_find(&memo.young, hash, rule, value)
    if entry != NULL:
        return entry
    entry = _table_find(&memo.old, hash, rule, value)
    if entry == NULL:
        return NULL
    return memo_add(memo, entry)  # NULL without memory: then it is asked for again, which says so
