"""Recursion goes into the smaller parts only, so its depth is logarithmic however long the common prefixes are."""

from libc.stdint cimport uint32_t, uint64_t


cdef inline void _swap(SortItem* a, SortItem* b) noexcept nogil:
    cdef SortItem held = a[0]
    a[0] = b[0]
    b[0] = held


cdef inline uint64_t _pivot(const SortItem* items, uint32_t n, uint64_t* random) noexcept nogil:
    """The key of some item (xorshift64)."""
    random[0] ^= random[0] << 13
    random[0] ^= random[0] >> 7
    random[0] ^= random[0] << 17
    return items[<uint32_t>((random[0] >> 32) % n)].key


cdef void _load(SortItem* items, uint32_t n, KeyAt key, const void* context, uint32_t depth) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        items[i].key = key(context, items[i].id, depth)


cdef void _sort(
    SortItem* items, uint32_t n, KeyAt key, const void* context, uint32_t depth, uint64_t* random
) noexcept nogil:
    """`items` hold their keys of `depth` already."""
    cdef uint32_t below, behind, i, left, equal, right
    cdef uint64_t pivot
    while n > 1:
        pivot = _pivot(items, n, random)
        below = 0
        behind = n
        i = 0
        while i < behind:
            if items[i].key < pivot:
                _swap(&items[i], &items[below])
                below += 1
                i += 1
            elif items[i].key > pivot:
                behind -= 1
                _swap(&items[i], &items[behind])
            else:
                i += 1
        left = below
        equal = behind - below
        right = n - behind
        if equal > 1:
            _load(items + below, equal, key, context, depth + 1)
        if left >= equal and left >= right:
            _sort(items + below, equal, key, context, depth + 1, random)
            _sort(items + behind, right, key, context, depth, random)
            n = left
        elif right >= equal:
            _sort(items, left, key, context, depth, random)
            _sort(items + below, equal, key, context, depth + 1, random)
            items += behind
            n = right
        else:
            _sort(items, left, key, context, depth, random)
            _sort(items + behind, right, key, context, depth, random)
            items += below
            n = equal
            depth += 1


cdef void multikey_sort(SortItem* items, uint32_t n, KeyAt key, const void* context, uint64_t seed) noexcept nogil:
    seed |= 1
    _load(items, n, key, context, 0)
    _sort(items, n, key, context, 0, &seed)
