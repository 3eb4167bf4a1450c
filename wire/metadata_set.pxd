"""Metadata of a remote-write 2.0 request: it comes with each series, and is written once for each metric family."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcmp, memcpy, memset

from wire.cursor cimport Cursor, WIRE_VARINT, read_tag, read_varint, skip_field, varint_size, write_varint
from wire.symbols cimport Symbol, Symbols, is_text, symbol_text

cdef enum:
    # Types of metrics whose series are named after the family and more.
    HISTOGRAM = 3
    GAUGE_HISTOGRAM = 4
    SUMMARY = 5
    # What is remembered is bounded, and so is the search: a request of very many families may have one written twice.
    SLOTS = 2048
    PROBES = 16

cdef struct Metadata:
    # Begins zeroed, for each series.
    Cursor family
    uint64_t type
    uint32_t help
    uint32_t unit

cdef struct MetadataSet:
    # Begins zeroed. `known` is the caller's to free.
    Metadata* known  # by hash; a slot without a family is free
    Metadata last

cdef inline int read_metadata(Cursor c, Metadata* m) noexcept nogil:
    """What a message says, over what was there before; -1 if it is malformed."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field != 1 and field != 3 and field != 4:
            if skip_field(&c, wire_type) < 0:
                return -1
            continue
        if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
            return -1
        if field == 1:
            m.type = raw
        elif field == 3:
            m.help = <uint32_t>raw
        else:
            m.unit = <uint32_t>raw
    return 0

cdef inline bint says_something(const Metadata* m) noexcept nogil:
    return m.type or m.help or m.unit

cdef inline bint _cut(Cursor* family, const char* suffix, uint32_t size) noexcept nogil:
    if family.end - family.p <= size or memcmp(family.end - size, suffix, size) != 0:
        return False
    family.end -= size
    return True

cdef inline void name_family(Metadata* m, const uint8_t* name, uint32_t size) noexcept nogil:
    """The family of a series' name: of the series that make up one metric, the name without what tells them apart."""
    m.family.p = name
    m.family.end = name + size
    if m.type == HISTOGRAM:
        _cut(&m.family, b"_bucket", 7) or _cut(&m.family, b"_count", 6) or _cut(&m.family, b"_sum", 4)
    elif m.type == GAUGE_HISTOGRAM:
        _cut(&m.family, b"_bucket", 7) or _cut(&m.family, b"_gcount", 7) or _cut(&m.family, b"_gsum", 5)
    elif m.type == SUMMARY:
        _cut(&m.family, b"_count", 6) or _cut(&m.family, b"_sum", 4)

cdef inline bint _same(const Metadata* a, const Metadata* b) noexcept nogil:
    if a.type != b.type or a.help != b.help or a.unit != b.unit:
        return False
    if a.family.end - a.family.p != b.family.end - b.family.p:
        return False
    return a.family.p == b.family.p or memcmp(a.family.p, b.family.p, a.family.end - a.family.p) == 0

cdef inline uint64_t _hashed(const Metadata* m) noexcept nogil:
    cdef uint64_t hash = <uint64_t>(m.family.end - m.family.p) << 40 ^ m.type << 32 ^ m.help ^ <uint64_t>m.unit << 16
    cdef uint64_t tail = 0
    if m.family.end - m.family.p >= 8:
        memcpy(&tail, m.family.end - 8, 8)
    hash = (hash ^ tail) * <uint64_t>0xFF51AFD7ED558CCDULL
    return hash ^ hash >> 32

cdef inline int remember_metadata(MetadataSet* s, const Metadata* m) noexcept nogil:
    """1 if it is new, 0 if it was known, -1 without memory."""
    cdef uint64_t hash
    cdef Metadata* slot
    cdef uint32_t i
    if s.known != NULL and _same(&s.last, m):  # series of one family mostly follow each other
        return 0
    s.last = m[0]
    hash = _hashed(m)
    if s.known == NULL:
        s.known = <Metadata*>malloc(SLOTS * sizeof(Metadata))
        if s.known == NULL:
            return -1
        memset(s.known, 0, SLOTS * sizeof(Metadata))
    for i in range(PROBES):
        slot = &s.known[(hash + i) % SLOTS]
        if slot.family.p == NULL:
            break
        if _same(slot, m):
            return 0
    slot[0] = m[0]
    return 1

cdef inline uint64_t metadata_size(const Metadata* m, const Symbol* help, const Symbol* unit) noexcept nogil:
    """Bytes that `write_metadata` writes."""
    cdef uint64_t family = m.family.end - m.family.p
    cdef uint64_t size = 1 + varint_size(family) + family
    if m.type:
        size += 1 + varint_size(m.type)
    if help.size:
        size += 1 + varint_size(help.size) + help.size
    if unit.size:
        size += 1 + varint_size(unit.size) + unit.size
    return size

cdef inline uint8_t* _write_text(uint8_t* p, uint8_t tag, const uint8_t* text, size_t size) noexcept nogil:
    if size == 0:
        return p
    p[0] = tag
    p = write_varint(p + 1, size)
    memcpy(p, text, size)
    return p + size

cdef inline void write_metadata(
    uint8_t* p, const Metadata* m, const Symbols* s, const Symbol* help, const Symbol* unit
) noexcept nogil:
    """A MetricMetadata of remote-write 1.0."""
    if m.type:
        p[0] = 0x08
        p = write_varint(p + 1, m.type)
    p = _write_text(p, 0x12, m.family.p, m.family.end - m.family.p)
    p = _write_text(p, 0x22, symbol_text(s, help), help.size)
    _write_text(p, 0x2A, symbol_text(s, unit), unit.size)
