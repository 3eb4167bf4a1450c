"""Series are ordered by the ordinals of their label strings, which sort as the strings do."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memset

from consumers.label_hash cimport prefetch
from consumers.label_walk cimport count_labels, next_label
from consumers.multikey_sort cimport SortItem, multikey_sort
from consumers.series_table cimport Series, labels_length, table_series
from consumers.store cimport Store
from consumers.symbols cimport Symbols, symbols_free, symbols_intern, symbols_rank
from consumers.window cimport FullChunk, Window, xor_first_time, xor_size
from tsdb.block_writer cimport BlockWriter
from tsdb.views cimport Bytes, ChunkRef
from wire.canonical cimport LabelPair

cdef enum:
    AHEAD = 8             # series whose chunks are on their way from memory
    REMEMBERED = 32       # label places whose last strings are looked at before the table is

cdef struct Member:
    const Window* window
    const uint8_t* labels
    uint32_t* refs        # of its pairs, into the seal's refs
    uint32_t pairs

cdef struct Seal:
    Member* members
    uint32_t count
    uint32_t* refs
    uint32_t* ranks
    SortItem* order
    ChunkRef* chunks
    uint32_t chunks_capacity
    Symbols symbols


cdef inline const Window* _window_of(const Series* series, uint32_t ordinal) noexcept nogil:
    cdef const Window* w = &series.window
    while w != NULL and w.ordinal != ordinal:
        w = NULL if w.rest == NULL else w.rest.next
    return w


cdef int _collect(Seal* seal, const Store* s, uint32_t ordinal) noexcept nogil:
    """The series of the window, and room for the ordinals of their strings."""
    cdef uint32_t i, n
    cdef uint64_t pairs = 0
    cdef const Series* series
    cdef const Window* window
    cdef Member* member
    n = 0
    for i in range(s.table.count):
        if _window_of(table_series(&s.table, i), ordinal) != NULL:
            n += 1
    seal.members = <Member*>malloc(<size_t>n * sizeof(Member) + 1)
    if seal.members == NULL:
        return -1
    for i in range(s.table.count):
        series = table_series(&s.table, i)
        window = _window_of(series, ordinal)
        if window != NULL:
            member = &seal.members[seal.count]
            member.window = window
            member.labels = series.labels
            member.pairs = count_labels(series.labels, labels_length(series.labels))
            pairs += member.pairs
            seal.count += 1
    seal.refs = <uint32_t*>malloc(pairs * 2 * sizeof(uint32_t) + 1)
    return -1 if seal.refs == NULL else 0


cdef inline int _ref(Seal* seal, const uint8_t* data, uint32_t size, Bytes* last, uint32_t* ref) noexcept nogil:
    """The number of a string; mostly it is the one that the series before had in the same place."""
    if last.data == NULL or last.size != size or memcmp(last.data, data, size) != 0:
        last.data = data
        last.size = size
        return symbols_intern(&seal.symbols, last, ref)
    return 0


cdef int _intern(Seal* seal) noexcept nogil:
    cdef Bytes last[2 * REMEMBERED]
    cdef uint32_t refs[2 * REMEMBERED]
    cdef uint32_t i, j, place
    cdef uint32_t* at = seal.refs
    cdef const uint8_t* p
    cdef LabelPair pair
    memset(last, 0, sizeof(last))
    for i in range(seal.count):
        p = seal.members[i].labels
        seal.members[i].refs = at
        for j in range(seal.members[i].pairs):
            p = next_label(p, &pair)
            place = 2 * (j % REMEMBERED)
            if (
                _ref(seal, pair.name, pair.name_size, &last[place], &refs[place]) < 0
                or _ref(seal, pair.value, pair.value_size, &last[place + 1], &refs[place + 1]) < 0
            ):
                return -1
            at[0] = refs[place]
            at[1] = refs[place + 1]
            at += 2
    return 0


cdef uint64_t _pair_key(const void* context, uint32_t id, uint32_t depth) noexcept nogil:
    """Name and value of one place as a number; 0 behind the last, so that a shorter set sorts first."""
    cdef const Member* member = <const Member*>context + id
    if depth >= member.pairs:
        return 0
    return (<uint64_t>(member.refs[2 * depth] + 1) << 32) | member.refs[2 * depth + 1]


cdef int _order(Seal* seal, uint64_t seed) noexcept nogil:
    cdef uint32_t i, j
    seal.ranks = symbols_rank(&seal.symbols)
    if seal.ranks == NULL:
        return -1
    for i in range(seal.count):
        for j in range(2 * seal.members[i].pairs):
            seal.members[i].refs[j] = seal.ranks[seal.members[i].refs[j]]
    seal.order = <SortItem*>malloc(<size_t>seal.count * sizeof(SortItem) + 1)
    if seal.order == NULL:
        return -1
    for i in range(seal.count):
        seal.order[i].id = i
    multikey_sort(seal.order, seal.count, _pair_key, seal.members, seed)
    return 0


cdef int _room_for_chunk(Seal* seal, uint32_t count) noexcept nogil:
    cdef ChunkRef* moved
    if count < seal.chunks_capacity:
        return 0
    moved = <ChunkRef*>realloc(seal.chunks, (2 * <size_t>count + 16) * sizeof(ChunkRef))
    if moved == NULL:
        return -1
    seal.chunks = moved
    seal.chunks_capacity = 2 * count + 16
    return 0


cdef int _list_chunks(Seal* seal, const Window* w, uint32_t* count) noexcept nogil:
    cdef const FullChunk* full = NULL if w.rest == NULL else w.rest.first_chunk
    count[0] = 0
    while full != NULL:
        if _room_for_chunk(seal, count[0]) < 0:
            return -1
        seal.chunks[count[0]] = ChunkRef(full.mint, full.maxt, full.data, full.size, full.samples, full.encoding)
        count[0] += 1
        full = full.next
    if w.xor.count:
        if _room_for_chunk(seal, count[0]) < 0:
            return -1
        seal.chunks[count[0]] = ChunkRef(xor_first_time(w.data), w.xor.t, w.data, xor_size(&w.xor), w.xor.count, 1)
        count[0] += 1
    return 0


cdef inline void _prefetch(const Seal* seal, uint32_t i) noexcept nogil:
    """What series i is going to need, in two steps: its window, then its refs and chunk."""
    cdef const Member* member
    if i + 2 * AHEAD < seal.count:
        prefetch(seal.members[seal.order[i + 2 * AHEAD].id].window)
    if i + AHEAD < seal.count:
        member = &seal.members[seal.order[i + AHEAD].id]
        prefetch(member.refs)
        prefetch(member.window.data)


cdef int _write(Seal* seal, BlockWriter writer) except -1 nogil:
    cdef const Member* member
    cdef uint32_t i, count
    writer.set_symbols(seal.symbols.items, seal.symbols.count)
    for i in range(seal.count):
        _prefetch(seal, i)
        member = &seal.members[seal.order[i].id]
        if _list_chunks(seal, member.window, &count) < 0:
            with gil:
                raise MemoryError
        writer.add_series(member.refs, member.pairs, seal.chunks, count)
    return 0


cdef int seal_window(const Store* s, uint32_t ordinal, BlockWriter writer) except -1 nogil:
    cdef Seal seal
    memset(&seal, 0, sizeof(Seal))
    seal.symbols.key = &s.key
    try:
        if _collect(&seal, s, ordinal) < 0 or _intern(&seal) < 0 or _order(&seal, s.key.k[0]) < 0:
            with gil:
                raise MemoryError
        _write(&seal, writer)
    finally:
        symbols_free(&seal.symbols)
        free(seal.members)
        free(seal.refs)
        free(seal.ranks)
        free(seal.order)
        free(seal.chunks)
    return 0
