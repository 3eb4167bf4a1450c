from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from tsdb.crc32c cimport crc32c_update
from tsdb.varint cimport be32, get_uvarint

from tsdb.errors import CorruptBlock

cdef enum:
    ENTRY_BYTES = 4  # at least: string count, two lengths, offset

cdef int _compare(const uint8_t* a, uint64_t a_size, const uint8_t* b, uint64_t b_size) noexcept nogil:
    cdef int order = memcmp(a, b, a_size if a_size < b_size else b_size)
    if order:
        return order
    return (a_size > b_size) - (a_size < b_size)

cdef class PostingsTable:
    cdef const uint8_t[::1] _section
    cdef uint32_t* _values    # where each entry's value begins (its length), from the section's start
    cdef uint64_t* _offsets   # of each list, and the end of the last
    cdef uint32_t _count
    cdef dict _names          # name -> (first entry, behind the last)

    def __init__(self, const uint8_t[::1] section not None, *, uint64_t lists, uint64_t end):
        cdef size_t size = section.shape[0]
        if size < 12 or be32(&section[0]) != size - 8:
            raise CorruptBlock(f"postings table is cut short: bytes={size}")
        if crc32c_update(0, &section[4], size - 8) != be32(&section[size - 4]):
            raise CorruptBlock("postings table fails its checksum")
        self._section = section
        self._count = be32(&section[4])
        if self._count > (size - 12) // ENTRY_BYTES:  # bounds the memory below by the input's size
            raise CorruptBlock(f"postings table says more than it holds: entries={self._count} bytes={size}")
        self._values = <uint32_t*>malloc(<size_t>self._count * sizeof(uint32_t) + 1)
        self._offsets = <uint64_t*>malloc((<size_t>self._count + 1) * sizeof(uint64_t))
        if self._values == NULL or self._offsets == NULL:
            raise MemoryError
        self._names = {}
        self._index(lists, end)

    def __dealloc__(self):
        free(self._values)
        free(self._offsets)

    def all(self):
        if b"" not in self._names:
            raise CorruptBlock("postings table has no list of all series")
        return self._offsets[0], self._offsets[1]

    def names(self):
        return [name for name in self._names if name]

    def values(self, bytes name):
        first, behind = self._range(name)
        return [self._value(i) for i in range(first, behind)]

    def spans(self, bytes name):
        cdef uint32_t i, first, behind
        first, behind = self._range(name)
        return [(self._offsets[i], self._offsets[i + 1]) for i in range(first, behind)]

    def find(self, bytes name, bytes value):
        cdef uint32_t low, high, middle
        low, high = self._range(name)
        while low < high:
            middle = low + (high - low) // 2
            found = self._value(middle)
            if found == value:
                return self._offsets[middle], self._offsets[middle + 1]
            if found < value:
                low = middle + 1
            else:
                high = middle
        return None

    cdef tuple _range(self, bytes name):
        return self._names.get(name, (0, 0)) if name else (0, 0)

    cdef bytes _value(self, uint32_t i):
        cdef uint64_t size = 0
        cdef const uint8_t* p = get_uvarint(
            &self._section[self._values[i]], &self._section[0] + self._section.shape[0], &size
        )
        return (<const char*>p)[:size]

    cdef int _index(self, uint64_t lists, uint64_t end) except -1:
        cdef const uint8_t* begin = &self._section[0]
        cdef const uint8_t* behind = begin + self._section.shape[0] - 4
        cdef const uint8_t* p = begin + 8
        cdef const uint8_t* name
        cdef const uint8_t* value
        cdef const uint8_t* name_before = NULL
        cdef const uint8_t* value_before = NULL
        cdef uint64_t strings, name_size, value_size
        cdef uint64_t name_size_before = 0
        cdef uint64_t value_size_before = 0
        cdef uint64_t offset = 0
        cdef uint64_t offset_before = 0
        cdef uint32_t i
        cdef uint32_t first = 0
        cdef int order
        for i in range(self._count):
            p = get_uvarint(p, behind, &strings)
            if p == NULL or strings != 2:
                return self._broken(i)
            name = p = get_uvarint(p, behind, &name_size)
            if p == NULL or name_size > <uint64_t>(behind - p):
                return self._broken(i)
            p += name_size
            self._values[i] = <uint32_t>(p - begin)
            value = p = get_uvarint(p, behind, &value_size)
            if p == NULL or value_size > <uint64_t>(behind - p):
                return self._broken(i)
            p = get_uvarint(p + value_size, behind, &offset)
            if p == NULL or offset < lists or offset >= end or (i and offset <= offset_before):
                return self._broken(i)
            order = -1
            if i:
                order = _compare(name_before, name_size_before, name, name_size)
                if order > 0 or (
                    order == 0 and _compare(value_before, value_size_before, value, value_size) >= 0
                ):
                    return self._broken(i)
                if order:
                    self._names[(<const char*>name_before)[:name_size_before]] = (first, i)
                    first = i
            self._offsets[i] = offset
            offset_before = offset
            name_before = name
            name_size_before = name_size
            value_before = value
            value_size_before = value_size
        if self._count:
            self._names[(<const char*>name_before)[:name_size_before]] = (first, self._count)
        self._offsets[self._count] = end
        return 0

    cdef int _broken(self, uint32_t entry) except -1:
        raise CorruptBlock(f"postings table has a broken entry: entry={entry}")
