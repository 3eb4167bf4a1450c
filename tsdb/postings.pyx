from array import array as Postings

from cpython.array cimport array, clone, resize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from tsdb.crc32c cimport crc32c_update
from tsdb.varint cimport be32

from tsdb.errors import CorruptBlock

cdef array _EMPTY = Postings("I")
assert _EMPTY.itemsize == sizeof(uint32_t)

cdef array _new(size_t size):
    return clone(_EMPTY, size, False)

cdef uint32_t* _ids(array postings) noexcept:
    return <uint32_t*>postings.data.as_uints

def decode_postings(const uint8_t[::1] section not None):
    cdef size_t size = section.shape[0]
    cdef uint32_t count
    cdef size_t i
    cdef array out
    cdef uint32_t* ids
    if size < 12 or be32(&section[0]) > size - 8 or be32(&section[0]) < 4:
        raise CorruptBlock(f"postings list is cut short: bytes={size}")
    size = be32(&section[0])
    count = be32(&section[4])
    if size != 4 + 4 * <size_t>count:
        raise CorruptBlock(f"postings list's length and count disagree: bytes={size} count={count}")
    if crc32c_update(0, &section[4], size) != be32(&section[4] + size):
        raise CorruptBlock("postings list fails its checksum")
    out = _new(count)
    ids = _ids(out)
    for i in range(count):
        ids[i] = be32(&section[8] + 4 * i)
        if i and ids[i] <= ids[i - 1]:
            raise CorruptBlock(f"postings list is not ascending: position={i}")
    return out

def intersect(array a not None, array b not None):
    cdef size_t i = 0
    cdef size_t j = 0
    cdef size_t n = 0
    cdef size_t a_size = len(a)
    cdef size_t b_size = len(b)
    cdef array out = _new(min(a_size, b_size))
    cdef uint32_t* ids = _ids(out)
    cdef uint32_t* left = _ids(a)
    cdef uint32_t* right = _ids(b)
    with nogil:
        while i < a_size and j < b_size:
            if left[i] < right[j]:
                i += 1
            elif left[i] > right[j]:
                j += 1
            else:
                ids[n] = left[i]
                n += 1
                i += 1
                j += 1
    resize(out, n)
    return out

def subtract(array a not None, array b not None):
    cdef size_t i
    cdef size_t j = 0
    cdef size_t n = 0
    cdef size_t a_size = len(a)
    cdef size_t b_size = len(b)
    cdef array out = _new(a_size)
    cdef uint32_t* ids = _ids(out)
    cdef uint32_t* left = _ids(a)
    cdef uint32_t* right = _ids(b)
    with nogil:
        for i in range(a_size):
            while j < b_size and right[j] < left[i]:
                j += 1
            if j == b_size or right[j] != left[i]:
                ids[n] = left[i]
                n += 1
    resize(out, n)
    return out

cdef array _union(array a, array b):
    cdef size_t i = 0
    cdef size_t j = 0
    cdef size_t n = 0
    cdef size_t a_size = len(a)
    cdef size_t b_size = len(b)
    cdef array out = _new(a_size + b_size)
    cdef uint32_t* ids = _ids(out)
    cdef uint32_t* left = _ids(a)
    cdef uint32_t* right = _ids(b)
    with nogil:
        while i < a_size and j < b_size:
            if left[i] <= right[j]:
                j += left[i] == right[j]
                ids[n] = left[i]
                i += 1
            else:
                ids[n] = right[j]
                j += 1
            n += 1
        if i < a_size:
            memcpy(ids + n, left + i, (a_size - i) * sizeof(uint32_t))
            n += a_size - i
        if j < b_size:
            memcpy(ids + n, right + j, (b_size - j) * sizeof(uint32_t))
            n += b_size - j
    resize(out, n)
    return out

def union(lists):
    cdef list round = list(lists)
    while len(round) > 1:  # pairs of neighbours, so that each id is moved log2(lists) times
        round = [
            _union(round[i], round[i + 1]) if i + 1 < len(round) else round[i] for i in range(0, len(round), 2)
        ]
    return round[0] if round else _new(0)
