"""Divides a remote-write 2.0 Request: each part has the symbols that its series refer to, numbered anew."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_VARINT, read_bytes, read_tag, read_varint, skip_field, varint_size, write_varint
)
from wire.piece cimport Piece, Pieces, add_piece
from wire.plan cimport _grown
from wire.tenant_table cimport OWN, TenantTable, tenant_number

cdef enum:
    MALFORMED = -1
    NO_MEMORY = -2
    TOO_LARGE = -3
    # What is noted of a symbol while tenants are found; 0 is nothing yet, others are a tenant's number + 1.
    IS_LABEL = 0xFFFFFFFFu
    NO_SYMBOL = 0xFFFFFFFFu

cdef struct Symbol:
    # As small as can be: two bytes of a body are a symbol.
    uint32_t offset       # of its length, in the body
    uint32_t note         # its tenant; then its number in a part, which is this one's if `used` has it there

cdef struct Scratch:
    uint8_t* data
    size_t size
    size_t room

cdef struct SplitV2:
    # Begins zeroed.
    const uint8_t* body
    Symbol* symbols
    size_t count
    size_t room
    uint32_t* used        # symbols of the part that is being written, by their number less 1
    size_t used_count
    size_t used_room
    size_t symbol_bytes   # that they take as fields
    const uint8_t* end    # of the body
    Scratch series        # fields of the part
    Scratch entry         # one series
    Scratch inner         # one exemplar or metadata of it
    Scratch refs

cdef inline void split_v2_free(SplitV2* s) noexcept nogil:
    free(s.symbols)
    free(s.used)
    free(s.series.data)
    free(s.entry.data)
    free(s.inner.data)
    free(s.refs.data)

cdef inline int _reserve(Scratch* out, size_t size) noexcept nogil:
    cdef void* data = _grown(out.data, &out.room, out.size + size, 1)
    if data == NULL:
        return NO_MEMORY
    out.data = <uint8_t*>data
    return 0

cdef inline int _put(Scratch* out, const uint8_t* data, size_t size) noexcept nogil:
    if _reserve(out, size) < 0:
        return NO_MEMORY
    memcpy(out.data + out.size, data, size)
    out.size += size
    return 0

cdef inline int _put_varint(Scratch* out, uint64_t value) noexcept nogil:
    if _reserve(out, 10) < 0:
        return NO_MEMORY
    out.size = write_varint(out.data + out.size, value) - out.data
    return 0

cdef inline int _put_message(Scratch* out, uint32_t field, const Scratch* message) noexcept nogil:
    if _put_varint(out, field << 3 | WIRE_BYTES) < 0 or _put_varint(out, message.size) < 0:
        return NO_MEMORY
    return _put(out, message.data, message.size) if message.size else 0

cdef inline int read_references(Cursor* c, uint32_t wire_type, Cursor* packed) noexcept nogil:
    """A field of references, packed or not, as a cursor over varints; -1 if it is neither."""
    cdef uint64_t raw
    if wire_type == WIRE_BYTES:
        return read_bytes(c, packed)
    packed[0] = c[0]
    if wire_type != WIRE_VARINT or read_varint(c, &raw) < 0:
        return -1
    packed.end = c.p
    return 0

cdef inline Cursor symbol_text(const SplitV2* s, const Symbol* symbol) noexcept nogil:
    cdef Cursor c, text
    c.p = s.body + symbol.offset
    c.end = s.end
    read_bytes(&c, &text)  # it was read before
    return text

cdef inline int _add_symbol(
    SplitV2* s, const uint8_t* at, Cursor text, const uint8_t* label, size_t label_size
) noexcept nogil:
    cdef Symbol* symbol
    cdef size_t size = text.end - text.p
    cdef void* symbols = _grown(s.symbols, &s.room, s.count + 1, sizeof(Symbol))
    if symbols == NULL:
        return NO_MEMORY
    s.symbols = <Symbol*>symbols
    symbol = &s.symbols[s.count]
    symbol.offset = <uint32_t>(at - s.body)
    symbol.note = IS_LABEL if size == label_size and memcmp(text.p, label, label_size) == 0 else 0
    s.count += 1
    return 0

cdef inline int _tenant_of(SplitV2* s, TenantTable* tenants, uint32_t reference) noexcept nogil:
    """The number of the tenant that a symbol names."""
    cdef Symbol* symbol = &s.symbols[reference]
    cdef int number
    if symbol.note and symbol.note != IS_LABEL:
        return symbol.note - 1
    number = tenant_number(tenants, symbol_text(s, symbol))
    if number >= 0 and symbol.note != IS_LABEL:
        symbol.note = number + 1
    return number

cdef inline bint _is_empty(const SplitV2* s, uint32_t reference) noexcept nogil:
    cdef Cursor text = symbol_text(s, &s.symbols[reference])
    return text.p == text.end

cdef inline int _name_tenant(SplitV2* s, Piece* piece, TenantTable* tenants) noexcept nogil:
    """Finds out which tenant a series names, and where among its references."""
    cdef uint32_t field, wire_type, reference
    cdef uint32_t name = NO_SYMBOL
    cdef uint32_t value = 0
    cdef uint32_t index = 0
    cdef uint32_t found = 0
    cdef uint64_t raw
    cdef Cursor c, packed
    cdef int number
    c.p = s.body + piece.start
    c.end = s.body + piece.end
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field != 1:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if read_references(&c, wire_type, &packed) < 0:
            return MALFORMED
        while packed.p < packed.end:
            if read_varint(&packed, &raw) < 0:
                return MALFORMED
            reference = <uint32_t>raw
            if not index & 1:
                name = reference
            elif name < s.count and s.symbols[name].note == IS_LABEL:
                if reference < s.count and not _is_empty(s, reference):
                    found += 1
                    value = reference
                    piece.cut_start = index - 1
            index += 1
    if found == 1 and not index & 1:
        number = _tenant_of(s, tenants, value)
        if number < 0:
            return NO_MEMORY
        piece.tenant = number
        piece.cut_size = 2
    return 0

cdef inline int find_v2(
    SplitV2* s, const uint8_t* body, size_t size, const uint8_t* label, size_t label_size, Pieces* pieces,
    TenantTable* tenants
) noexcept nogil:
    """Every series of a Request, with its tenant; 0, MALFORMED or NO_MEMORY."""
    cdef uint32_t field, wire_type
    cdef Cursor c, entry
    cdef const uint8_t* at
    cdef Piece* piece
    cdef size_t i
    cdef int result
    s.body = body
    s.end = body + size
    c.p = body
    c.end = s.end
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field != 4 and field != 5:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        at = c.p
        if wire_type != WIRE_BYTES or read_bytes(&c, &entry) < 0:
            return MALFORMED
        if field == 4:
            if _add_symbol(s, at, entry, label, label_size) < 0:
                return NO_MEMORY
            continue
        piece = add_piece(pieces)
        if piece == NULL:
            return NO_MEMORY
        piece.start = <uint32_t>(entry.p - s.body)
        piece.end = <uint32_t>(entry.end - s.body)
        piece.cut_start = 0
        piece.cut_size = 0
        piece.tenant = OWN
        piece.field = field
    if s.count and not _is_empty(s, 0):
        return MALFORMED  # the first symbol must be empty: the router says so
    for i in range(pieces.count):
        result = _name_tenant(s, &pieces.found[i], tenants)
        if result < 0:
            return result
    return 0

cdef inline int _renumbered(SplitV2* s, uint64_t raw, uint32_t* out) noexcept nogil:
    """What a reference is in the part, where its symbol is taken up; one to nothing stays one to nothing."""
    cdef uint32_t reference = <uint32_t>raw
    cdef Symbol* symbol
    cdef Cursor text
    cdef void* used
    out[0] = reference
    if reference == 0:
        return 0
    if reference >= s.count:
        out[0] = NO_SYMBOL
        return 0
    symbol = &s.symbols[reference]
    if not symbol.note or symbol.note > s.used_count or s.used[symbol.note - 1] != reference:
        used = _grown(s.used, &s.used_room, s.used_count + 1, sizeof(uint32_t))
        if used == NULL:
            return NO_MEMORY
        s.used = <uint32_t*>used
        s.used[s.used_count] = reference
        s.used_count += 1
        text = symbol_text(s, symbol)
        s.symbol_bytes += 1 + varint_size(text.end - text.p) + (text.end - text.p)
        symbol.note = <uint32_t>s.used_count
    out[0] = symbol.note
    return 0

cdef inline int _put_references(
    SplitV2* s, Scratch* out, Cursor packed, uint32_t cut_start, uint32_t cut_size, uint32_t* index
) noexcept nogil:
    """A packed field of references, less those that are cut; `index` counts them over all fields of the message."""
    cdef uint64_t raw
    cdef uint32_t number
    s.refs.size = 0
    while packed.p < packed.end:
        if read_varint(&packed, &raw) < 0:
            return MALFORMED
        if index[0] - cut_start >= cut_size:  # unsigned: also what is before the cut
            if _renumbered(s, raw, &number) < 0 or _put_varint(&s.refs, number) < 0:
                return NO_MEMORY
        index[0] += 1
    return _put_message(out, 1, &s.refs)

cdef inline int _put_exemplar(SplitV2* s, Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef uint32_t index = 0
    cdef Cursor packed
    cdef const uint8_t* start
    cdef int result
    s.inner.size = 0
    while c.p < c.end:
        start = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == 1:
            result = read_references(&c, wire_type, &packed)
            if result == 0:
                result = _put_references(s, &s.inner, packed, 0, 0, &index)
        else:
            result = skip_field(&c, wire_type)
            if result == 0:
                result = _put(&s.inner, start, c.p - start)
        if result < 0:
            return result
    return _put_message(&s.entry, 4, &s.inner)

cdef inline int _put_metadata(SplitV2* s, Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type, number
    cdef uint64_t raw
    cdef const uint8_t* start
    s.inner.size = 0
    while c.p < c.end:
        start = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if (field == 3 or field == 4) and wire_type == WIRE_VARINT:  # help and unit
            if read_varint(&c, &raw) < 0:
                return MALFORMED
            if _renumbered(s, raw, &number) < 0 or _put_varint(&s.inner, field << 3) < 0:
                return NO_MEMORY
            if _put_varint(&s.inner, number) < 0:
                return NO_MEMORY
        elif skip_field(&c, wire_type) < 0:
            return MALFORMED
        elif _put(&s.inner, start, c.p - start) < 0:
            return NO_MEMORY
    return _put_message(&s.entry, 5, &s.inner)

cdef inline int put_series(SplitV2* s, const Piece* piece) noexcept nogil:
    """Adds one series to the part; 0, MALFORMED or NO_MEMORY."""
    cdef uint32_t field, wire_type
    cdef uint32_t index = 0
    cdef Cursor c, inner
    cdef const uint8_t* start
    cdef int result
    s.entry.size = 0
    c.p = s.body + piece.start
    c.end = s.body + piece.end
    while c.p < c.end:
        start = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == 1:
            result = read_references(&c, wire_type, &inner)
            if result == 0:
                result = _put_references(s, &s.entry, inner, piece.cut_start, piece.cut_size, &index)
        elif (field == 4 or field == 5) and wire_type == WIRE_BYTES:
            result = read_bytes(&c, &inner)
            if result == 0:
                result = _put_exemplar(s, inner) if field == 4 else _put_metadata(s, inner)
        else:
            result = skip_field(&c, wire_type)
            if result == 0:
                result = _put(&s.entry, start, c.p - start)
        if result < 0:
            return result
    return _put_message(&s.series, 5, &s.entry)

cdef inline void begin_part(SplitV2* s) noexcept nogil:
    s.used_count = 0
    s.symbol_bytes = 0
    s.series.size = 0

cdef inline size_t part_bytes(const SplitV2* s) noexcept nogil:
    return 2 + s.symbol_bytes + s.series.size

cdef inline void write_part(const SplitV2* s, uint8_t* p) noexcept nogil:
    """`part_bytes` of them: the symbols, the empty one first, and the series."""
    cdef Cursor text
    cdef size_t i
    p[0] = 4 << 3 | WIRE_BYTES
    p[1] = 0
    p += 2
    for i in range(s.used_count):
        text = symbol_text(s, &s.symbols[s.used[i]])
        p[0] = 4 << 3 | WIRE_BYTES
        p = write_varint(p + 1, text.end - text.p)
        memcpy(p, text.p, text.end - text.p)
        p += text.end - text.p
    if s.series.size:
        memcpy(p, s.series.data, s.series.size)
