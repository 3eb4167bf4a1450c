"""The tenants that the series of one request name, numbered as they are found."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp

from wire.cursor cimport Cursor
from wire.murmur3 cimport murmur3_x86_32

cdef enum:
    # Numbers of what is no tenant of its own.
    OWN = 0               # the request's tenant
    INVALID = 1           # no tenant id
    BEYOND = 2            # of more tenants than one request may name
    FIRST_TENANT = 3
    MAX_TENANTS = 1000
    MAX_TENANT_BYTES = 150
    _SLOTS = 4096         # a power of two, well above MAX_TENANTS

cdef struct TenantTable:
    # Begins zeroed.
    Cursor* names         # by number
    uint32_t* slots       # number + 1 by hash, 0 where free
    uint32_t count        # numbers given out, those below FIRST_TENANT among them
    uint32_t last         # found last

cdef inline void tenants_free(TenantTable* t) noexcept nogil:
    free(t.names)
    free(t.slots)
    t.names = NULL
    t.slots = NULL

cdef inline bint _is_allowed(uint8_t c) noexcept nogil:
    return (
        97 <= (c | 32) <= 122
        or 48 <= c <= 57
        or c == 33 or c == 45 or c == 95 or c == 46 or c == 42 or c == 39 or c == 40 or c == 41  # ! - _ . * ' ( )
    )

cdef inline bint is_tenant(Cursor name) noexcept nogil:
    """The rules of gateway/tenant.py, whose test holds both together."""
    cdef size_t size = name.end - name.p
    if size == 0 or size > MAX_TENANT_BYTES:
        return False
    if name.p[0] == 46 and (size == 1 or (size == 2 and name.p[1] == 46)):  # . and ..
        return False
    while name.p < name.end:
        if not _is_allowed(name.p[0]):
            return False
        name.p += 1
    return True

cdef inline bint _same(Cursor a, Cursor b) noexcept nogil:
    return a.end - a.p == b.end - b.p and memcmp(a.p, b.p, a.end - a.p) == 0

cdef inline int tenant_number(TenantTable* t, Cursor name) noexcept nogil:
    """The same for the same name; -1 without memory."""
    cdef uint32_t slot, number
    if t.names == NULL:
        t.names = <Cursor*>malloc((FIRST_TENANT + MAX_TENANTS) * sizeof(Cursor))
        t.slots = <uint32_t*>calloc(_SLOTS, sizeof(uint32_t))
        t.count = FIRST_TENANT
        if t.names == NULL or t.slots == NULL:
            return -1
    if t.last and _same(t.names[t.last], name):  # mostly the series of a tenant follow each other
        return t.last
    if not is_tenant(name):
        t.names[INVALID] = name
        return INVALID
    slot = murmur3_x86_32(name.p, name.end - name.p, 0) & (_SLOTS - 1)
    while t.slots[slot]:
        number = t.slots[slot] - 1
        if _same(t.names[number], name):
            t.last = number
            return number
        slot = (slot + 1) & (_SLOTS - 1)
    if t.count == FIRST_TENANT + MAX_TENANTS:
        t.names[BEYOND] = name
        return BEYOND
    number = t.count
    t.names[number] = name
    t.slots[slot] = number + 1
    t.count += 1
    t.last = number
    return number
