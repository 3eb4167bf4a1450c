from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc

from tsdb.crc32c cimport crc32c_update
from tsdb.file_writer cimport FileWriter
from tsdb.symbol_table cimport SymbolTable
from tsdb.varint cimport put_be32, put_uvarint, uvarint_size
from tsdb.views cimport Bytes

cdef extern from * nogil:
    uint32_t __builtin_bswap32(uint32_t)

cdef enum:
    INITIAL_ROOM = 1024

cdef uint64_t UINT32_MAX = 0xFFFFFFFF
cdef uint32_t SERIES_BEGIN = 0x80000000
cdef uint32_t PAIRS_MAX = 0x7FFFFFFE
cdef size_t LIST_MAX = (0xFFFFFFFF - 4) // 4  # ids that a list's BE32 length can say

cdef uint64_t _slot_of(uint64_t key) noexcept nogil:
    key *= <uint64_t>0x9E3779B97F4A7C15ULL
    return key ^ (key >> 32)

cdef int _by_key(const void* a, const void* b) noexcept nogil:
    cdef uint64_t left = (<const Pair*>a).key
    cdef uint64_t right = (<const Pair*>b).key
    return (left > right) - (left < right)

cdef int _out_of_memory() except -1 nogil:
    with gil:
        raise MemoryError

cdef int _room(uint32_t** items, size_t* room, size_t needed) except -1 nogil:
    """Doubles an array until `needed` items fit."""
    cdef size_t larger = room[0] or INITIAL_ROOM
    cdef void* moved
    if needed <= room[0]:
        return 0
    while larger < needed:
        larger *= 2
    moved = realloc(items[0], larger * sizeof(uint32_t))
    if moved == NULL:
        _out_of_memory()
    items[0] = <uint32_t*>moved
    room[0] = larger
    return 0

cdef int _write_list(FileWriter file, uint32_t* ids, size_t count) except -1 nogil:
    """Writes one list; turns `ids` into its big-endian form on the way."""
    cdef uint8_t head[8]
    cdef uint8_t tail[4]
    cdef size_t i
    for i in range(count):
        ids[i] = __builtin_bswap32(ids[i])
    put_be32(put_be32(head, <uint32_t>(4 + 4 * count)), <uint32_t>count)
    put_be32(tail, crc32c_update(crc32c_update(0, head + 4, 4), <const uint8_t*>ids, 4 * count))
    file.write(head, 8)
    file.write(<const uint8_t*>ids, 4 * count)
    file.write(tail, 4)
    return 0

cdef class PostingsBuilder:
    """Holds four bytes a label and four a series while series come, and four more a label while lists are written.

    Lists are made by a counting sort over the order in which series came, so each is ascending as it falls out.
    """

    def __cinit__(self):
        self._slots = <Pair*>calloc(INITIAL_ROOM, sizeof(Pair))
        if self._slots == NULL:
            raise MemoryError
        self._slot_mask = INITIAL_ROOM - 1

    def __dealloc__(self):
        free(self._slots)
        free(self._lengths)
        free(self._labels)
        free(self._series)
        free(self._sorted)

    cdef int add(self, uint32_t series, const uint32_t* refs, uint32_t pairs) except -1 nogil:
        """Takes one series; `refs` are name and value symbols in turn, `pairs` of them, at least one."""
        cdef uint32_t i, id
        cdef uint32_t begin = SERIES_BEGIN
        _room(&self._labels, &self._label_room, self._label_count + pairs)
        _room(&self._series, &self._series_room, self._series_count + 1)
        if self._series_count == LIST_MAX:
            with gil:
                raise ValueError(f"block has too many series: limit={LIST_MAX}")
        for i in range(pairs):
            id = self._pair_id(<uint64_t>refs[2 * i] << 32 | refs[2 * i + 1])
            self._lengths[id - 1] += 1
            self._labels[self._label_count] = id | begin
            self._label_count += 1
            begin = 0
        self._series[self._series_count] = series
        self._series_count += 1
        return 0

    cdef int write_lists(self, FileWriter file) except -1 nogil:
        """Writes the list of all series and one per pair, ascending by pair: the order of the table."""
        cdef size_t* starts = NULL
        cdef uint32_t* lists = NULL
        cdef uint32_t i, id
        cdef size_t slot
        cdef uint32_t found = 0
        self._sorted = <Pair*>malloc(self._pairs * sizeof(Pair) + 1)
        starts = <size_t*>malloc(self._pairs * sizeof(size_t) + 1)
        if self._sorted == NULL or starts == NULL:
            free(starts)
            _out_of_memory()
        for slot in range(self._slot_mask + 1):
            if self._slots[slot].id:
                self._sorted[found] = self._slots[slot]
                found += 1
        qsort(self._sorted, found, sizeof(Pair), _by_key)
        slot = 0
        for i in range(found):
            id = self._sorted[i].id - 1
            starts[id] = slot
            slot += self._lengths[id]
        try:
            lists = self._fill_lists(starts)
            _write_list(file, self._series, self._series_count)
            for i in range(found):
                id = self._sorted[i].id - 1
                _write_list(file, lists + starts[id] - self._lengths[id], self._lengths[id])
        finally:
            free(starts)
            free(lists)
        return 0

    cdef int write_table(self, FileWriter file, SymbolTable symbols, uint64_t first_list) except -1 nogil:
        """Writes the postings offset table; lists lie one behind the other from `first_list` on."""
        cdef uint8_t head[16]
        cdef uint8_t* p
        cdef Bytes name, value
        cdef uint32_t i, crc
        cdef uint64_t size = 4 + 3 + uvarint_size(first_list)
        cdef uint64_t after_all = first_list + 12 + 4 * <uint64_t>self._series_count
        cdef uint64_t offset = after_all
        for i in range(self._pairs):
            name = symbols.entry(<uint32_t>(self._sorted[i].key >> 32))
            value = symbols.entry(<uint32_t>self._sorted[i].key)
            size += 1 + <uint64_t>name.size + value.size + uvarint_size(offset)
            offset += 12 + 4 * <uint64_t>self._lengths[self._sorted[i].id - 1]
        if size > UINT32_MAX:
            with gil:
                raise ValueError(f"postings offset table is over the format's limit: bytes={size} limit={UINT32_MAX}")
        put_be32(put_be32(head, <uint32_t>size), self._pairs + 1)
        file.write(head, 8)
        crc = crc32c_update(0, head + 4, 4)
        head[0] = 2  # strings in an entry
        head[1] = head[2] = 0  # name "" and value "": all series
        p = put_uvarint(head + 3, first_list)
        crc = crc32c_update(crc, head, p - head)
        file.write(head, p - head)
        offset = after_all
        for i in range(self._pairs):
            name = symbols.entry(<uint32_t>(self._sorted[i].key >> 32))
            value = symbols.entry(<uint32_t>self._sorted[i].key)
            p = put_uvarint(head + 1, offset)
            crc = crc32c_update(crc, head, 1)
            crc = crc32c_update(crc, name.data, name.size)
            crc = crc32c_update(crc, value.data, value.size)
            crc = crc32c_update(crc, head + 1, p - head - 1)
            file.write(head, 1)
            file.write(name.data, name.size)
            file.write(value.data, value.size)
            file.write(head + 1, p - head - 1)
            offset += 12 + 4 * <uint64_t>self._lengths[self._sorted[i].id - 1]
        put_be32(head, crc)
        file.write(head, 4)
        return 0

    cdef uint32_t _pair_id(self, uint64_t key) except 0 nogil:
        cdef size_t slot = <size_t>_slot_of(key) & self._slot_mask
        while self._slots[slot].id:
            if self._slots[slot].key == key:
                return self._slots[slot].id
            slot = (slot + 1) & self._slot_mask
        if self._pairs == PAIRS_MAX:
            with gil:
                raise ValueError(f"block has too many different labels: limit={PAIRS_MAX}")
        _room(&self._lengths, &self._length_room, <size_t>self._pairs + 1)
        self._lengths[self._pairs] = 0
        self._pairs += 1
        self._slots[slot].key = key
        self._slots[slot].id = self._pairs
        if <size_t>self._pairs * 2 > self._slot_mask:
            self._grow_slots()
        return self._pairs

    cdef int _grow_slots(self) except -1 nogil:
        cdef size_t mask = self._slot_mask * 2 + 1
        cdef Pair* slots = <Pair*>calloc(mask + 1, sizeof(Pair))
        cdef size_t old, slot
        if slots == NULL:
            _out_of_memory()
        for old in range(self._slot_mask + 1):
            if self._slots[old].id:
                slot = <size_t>_slot_of(self._slots[old].key) & mask
                while slots[slot].id:
                    slot = (slot + 1) & mask
                slots[slot] = self._slots[old]
        free(self._slots)
        self._slots = slots
        self._slot_mask = mask
        return 0

    cdef uint32_t* _fill_lists(self, size_t* starts) except NULL nogil:
        """Series ids by pair, in memory of the caller's; moves each of `starts` behind its list."""
        cdef uint32_t* lists = <uint32_t*>malloc(self._label_count * sizeof(uint32_t) + 1)
        cdef size_t i
        cdef size_t series = 0
        cdef uint32_t id
        if lists == NULL:
            _out_of_memory()
        for i in range(self._label_count):
            id = self._labels[i]
            series += id >> 31  # counts the series begun
            id = (id & ~SERIES_BEGIN) - 1
            lists[starts[id]] = self._series[series - 1]
            starts[id] += 1
        return lists
