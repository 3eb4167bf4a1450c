"""The symbol table of a remote-write 2.0 request: every string once, looked at once, however often it is referred to."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from wire.canonical cimport LabelPair
from wire.cursor cimport Cursor, WIRE_BYTES, WIRE_VARINT, read_bytes, read_tag, read_varint, skip_field
from wire.label_set cimport LabelSet, add_label
from wire.plan cimport _grown
from wire.refusals cimport SHOWN_CHARACTERS, shortened, shown_text
from wire.utf8 cimport is_utf8

cdef enum:
    NOT_TEXT = 0x80000000u  # in an offset, beside bits that no body's needs
    LONG_REFERENCE = 0x4000

cdef struct Symbol:
    uint32_t offset         # in the body
    uint32_t size

cdef struct Symbols:
    const uint8_t* body
    Symbol* found           # the caller's to free
    size_t count
    size_t room

cdef struct References:
    # Begins zeroed, for each series.
    Symbol name
    bint half               # a name is waiting for its value
    bint broken             # one refers to nothing

cdef inline int add_symbol(Symbols* s, Cursor text) noexcept nogil:
    """-1 without memory."""
    cdef void* found = _grown(s.found, &s.room, s.count + 1, sizeof(Symbol))
    cdef uint32_t offset = <uint32_t>(text.p - s.body)
    if found == NULL:
        return -1
    s.found = <Symbol*>found
    s.found[s.count].offset = offset if is_utf8(text.p, text.end - text.p) else offset | NOT_TEXT
    s.found[s.count].size = <uint32_t>(text.end - text.p)
    s.count += 1
    return 0

cdef inline const uint8_t* symbol_text(const Symbols* s, const Symbol* symbol) noexcept nogil:
    return s.body + (symbol.offset & ~<uint32_t>NOT_TEXT)

cdef inline bint is_text(const Symbol* symbol) noexcept nogil:
    return not symbol.offset & NOT_TEXT

cdef inline LabelPair symbol_pair(const Symbols* s, const Symbol* name, const Symbol* value) noexcept nogil:
    cdef LabelPair pair
    pair.name = symbol_text(s, name)
    pair.name_size = name.size
    pair.value = symbol_text(s, value)
    pair.value_size = value.size
    return pair

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

cdef inline uint32_t _short_reference(const uint8_t** p) noexcept nogil:
    """A varint of one or two bytes, both of which are there; LONG_REFERENCE and more where it is longer."""
    cdef uint32_t ref = p[0][0]
    if ref < 0x80:
        p[0] += 1
        return ref
    ref = (ref & 0x7F) | <uint32_t>p[0][1] << 7
    p[0] += 2
    return ref

cdef inline const uint8_t* _gather_pairs(const Symbols* s, Cursor packed, LabelSet* labels) noexcept nogil:
    """Adds labels for as long as their references are short and good, as nearly all are; returns where it stopped."""
    cdef const uint8_t* p = packed.p
    cdef const uint8_t* start = p
    cdef const Symbol* found = s.found
    cdef uint32_t name, value
    while packed.end - p >= 4:
        start = p
        name = _short_reference(&p)
        value = _short_reference(&p) if name < LONG_REFERENCE else name
        if name >= s.count or value >= s.count or value >= LONG_REFERENCE:
            return start
        add_label(
            labels, symbol_pair(s, &found[name], &found[value]), not (found[name].offset | found[value].offset) & NOT_TEXT
        )
    return p

cdef inline int gather_references(const Symbols* s, Cursor packed, References* r, LabelSet* labels) noexcept nogil:
    """Adds the labels that are referred to; -1 where a varint is malformed."""
    cdef const Symbol* symbol
    cdef uint64_t raw
    if not r.half:
        packed.p = _gather_pairs(s, packed, labels)
    while packed.p < packed.end:
        if read_varint(&packed, &raw) < 0:
            return -1
        if <uint32_t>raw >= s.count:
            r.broken = True
            continue
        symbol = &s.found[<uint32_t>raw]
        if not r.half:
            r.name = symbol[0]
            r.half = True
            continue
        r.half = False
        add_label(labels, symbol_pair(s, &r.name, symbol), not (r.name.offset | symbol.offset) & NOT_TEXT)
    return 0

cdef inline str shown_references(const Symbols* s, Cursor entry):
    """Labels of a series as they were sent, up to what can be shown; the entry was read before, so it is well formed."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor packed
    cdef size_t length = 0
    cdef str text
    texts = []
    while entry.p < entry.end and length <= SHOWN_CHARACTERS:
        if read_tag(&entry, &field, &wire_type) < 0:
            break
        if field != 1:
            if skip_field(&entry, wire_type) < 0:
                break
            continue
        if read_references(&entry, wire_type, &packed) < 0:
            break
        while packed.p < packed.end and length <= SHOWN_CHARACTERS:
            if read_varint(&packed, &raw) < 0:
                break
            if <uint32_t>raw < s.count:
                text = shown_text(symbol_text(s, &s.found[<uint32_t>raw]), s.found[<uint32_t>raw].size)
            else:
                text = f"symbol {<uint32_t>raw}?"
            texts.append(text)
            length += len(text) + 2
    pairs = [f'{name}="{value}"' for name, value in zip(texts[::2], texts[1::2])]
    return shortened("{" + ", ".join(pairs + texts[len(pairs) * 2:]) + "}")
