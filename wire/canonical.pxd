"""Canonical labels: the one byte form of a label set, which is hashed, written to the log and compared.

They are the label fields of a TimeSeries as protobuf writes them, one behind the other (`0a len 0a n name 12 m value`,
lengths in their shortest form), ascending by name bytes, UTF-8, no empty name or value, no name twice, `__name__`
among them. A label whose value is empty does not exist in Prometheus' data model and is left out.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy

from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, read_varint, skip_field, varint_size, write_varint
from wire.utf8 cimport is_ascii, is_utf8

cdef enum:
    LABELS_OK = 0
    LABELS_MALFORMED = 1  # not label fields, or not in their shortest form
    LABELS_EMPTY = 2      # an empty name or value
    LABELS_UNORDERED = 3  # names not ascending, or one twice
    LABELS_NOT_UTF8 = 4
    LABELS_NAMELESS = 5   # no __name__

    SHORT_LABEL = 123     # bytes of name and value up to which all lengths take one byte
    SHORT_LABEL_OVERHEAD = 6

cdef struct LabelPair:
    const uint8_t* name
    const uint8_t* value
    uint32_t name_size
    uint32_t value_size

cdef inline int compare_bytes(const uint8_t* a, uint32_t a_size, const uint8_t* b, uint32_t b_size) noexcept nogil:
    """Below, at or above 0, as a sorts before, with or behind b; a prefix sorts first."""
    cdef int order = memcmp(a, b, a_size if a_size < b_size else b_size)
    if order:
        return order
    return (a_size > b_size) - (a_size < b_size)

cdef inline bint is_metric_name(const uint8_t* name, uint32_t size) noexcept nogil:
    return size == 8 and memcmp(name, b"__name__", 8) == 0

cdef inline int _read_length(Cursor* c, uint32_t* out) noexcept nogil:
    """A length in its shortest form, with that many bytes behind it."""
    cdef uint64_t n
    cdef const uint8_t* start = c.p
    if read_varint(c, &n) < 0 or n > <uint64_t>(c.end - c.p) or n > 0xFFFFFFFFu:
        return -1
    if c.p - start > 1 and (c.p - 1)[0] == 0:
        return -1
    out[0] = <uint32_t>n
    return 0

cdef inline int _read_canonical_label(Cursor* c, LabelPair* pair) noexcept nogil:
    """One label field in its shortest form, whatever its strings hold; `c` stands on its tag."""
    cdef uint32_t size
    cdef Cursor label
    c.p += 1
    if _read_length(c, &size) < 0:
        return -1
    label.p = c.p
    label.end = c.p + size
    c.p = label.end
    if label.p == label.end or label.p[0] != 0x0A:
        return -1
    label.p += 1
    if _read_length(&label, &pair.name_size) < 0:
        return -1
    pair.name = label.p
    label.p += pair.name_size
    if label.p == label.end or label.p[0] != 0x12:
        return -1
    label.p += 1
    if _read_length(&label, &pair.value_size) < 0:
        return -1
    pair.value = label.p
    return 0 if label.p + pair.value_size == label.end else -1

cdef struct LabelSizes:
    uint32_t count
    uint32_t name_bytes   # of the longest name
    uint32_t value_bytes

cdef inline int read_canonical_labels(Cursor* c, LabelSizes* sizes) noexcept nogil:
    """Moves `c` past the label fields it stands on, if they are canonical; else a reason, and `c` is where it was.

    Stops at the first byte that is no label tag, which is how a TimeSeries entry of a record begins; label fields
    behind that are for the caller to refuse.
    """
    cdef Cursor run = c[0]
    cdef LabelPair label, previous
    cdef uint32_t n = 0
    cdef uint32_t name_bytes = 0
    cdef uint32_t value_bytes = 0
    cdef bint named = False
    previous.name = NULL
    previous.name_size = 0
    while run.p < run.end and run.p[0] == 0x0A:
        if _read_canonical_label(&run, &label) < 0:
            return LABELS_MALFORMED
        if label.name_size == 0 or label.value_size == 0:
            return LABELS_EMPTY
        if n and label.name[0] <= previous.name[0]:  # mostly the first bytes decide
            if compare_bytes(previous.name, previous.name_size, label.name, label.name_size) >= 0:
                return LABELS_UNORDERED
        if is_metric_name(label.name, label.name_size):
            named = True
        if label.name_size > name_bytes:
            name_bytes = label.name_size
        if label.value_size > value_bytes:
            value_bytes = label.value_size
        previous = label
        n += 1
    if not named:
        return LABELS_NAMELESS
    if not is_ascii(c.p, run.p - c.p) and not _labels_are_utf8(c.p, run.p):
        return LABELS_NOT_UTF8
    c.p = run.p
    sizes.count = n
    sizes.name_bytes = name_bytes
    sizes.value_bytes = value_bytes
    return LABELS_OK

cdef inline bint _labels_are_utf8(const uint8_t* data, const uint8_t* end) noexcept nogil:
    """Of label fields that were read before: only their strings count, a length may have its high bit set."""
    cdef Cursor run
    cdef LabelPair label
    run.p = data
    run.end = end
    while run.p < run.end:
        if _read_canonical_label(&run, &label) < 0:
            return False
        if not is_utf8(label.name, label.name_size) or not is_utf8(label.value, label.value_size):
            return False
    return True

cdef inline int canonical_check(const uint8_t* data, uint32_t size) noexcept nogil:
    """LABELS_OK if these bytes are canonical labels and nothing else, or why they are not."""
    cdef Cursor c
    cdef LabelSizes sizes
    cdef int reason
    c.p = data
    c.end = data + size
    reason = read_canonical_labels(&c, &sizes)
    if reason == LABELS_OK and c.p != c.end:
        return LABELS_MALFORMED
    return reason

cdef inline int read_label(Cursor label, LabelPair* pair) noexcept nogil:
    """Any Label message as protobuf reads it: fields in any order, the last of each wins, missing ones are empty."""
    cdef uint32_t field, wire_type
    cdef Cursor text
    pair.name = label.p
    pair.value = label.p
    pair.name_size = 0
    pair.value_size = 0
    while label.p < label.end:
        if read_tag(&label, &field, &wire_type) < 0:
            return -1
        if field > 2:
            if skip_field(&label, wire_type) < 0:
                return -1
            continue
        if wire_type != WIRE_BYTES or read_bytes(&label, &text) < 0:
            return -1
        if field == 1:
            pair.name = text.p
            pair.name_size = <uint32_t>(text.end - text.p)
        else:
            pair.value = text.p
            pair.value_size = <uint32_t>(text.end - text.p)
    return 0

cdef inline int _compare_pairs(const void* a, const void* b) noexcept nogil:
    cdef const LabelPair* left = <const LabelPair*>a
    cdef const LabelPair* right = <const LabelPair*>b
    return compare_bytes(left.name, left.name_size, right.name, right.name_size)

cdef inline void sort_labels(LabelPair* pairs, uint32_t count) noexcept nogil:
    """By name bytes. Few labels, or labels nearly in order, are put in order in place; many go to qsort."""
    cdef uint32_t i, j
    cdef LabelPair moving
    if count > 32:
        qsort(pairs, count, sizeof(LabelPair), &_compare_pairs)
        return
    for i in range(1, count):
        moving = pairs[i]
        j = i
        while j and _compare_pairs(&pairs[j - 1], &moving) > 0:
            pairs[j] = pairs[j - 1]
            j -= 1
        pairs[j] = moving

cdef inline uint32_t _label_size(const LabelPair* pair) noexcept nogil:
    return 2 + varint_size(pair.name_size) + pair.name_size + varint_size(pair.value_size) + pair.value_size

cdef inline uint64_t labels_size(const LabelPair* pairs, uint32_t count) noexcept nogil:
    """Bytes that `write_labels` writes."""
    cdef uint64_t total = 0
    cdef uint32_t i, size
    for i in range(count):
        size = _label_size(&pairs[i])
        total += 1 + varint_size(size) + size
    return total

cdef inline uint8_t* write_labels(uint8_t* p, const LabelPair* pairs, uint32_t count) noexcept nogil:
    """Writes sorted pairs as label fields; returns the end."""
    cdef uint32_t i
    for i in range(count):
        p[0] = 0x0A
        p = write_varint(p + 1, _label_size(&pairs[i]))
        p[0] = 0x0A
        p = write_varint(p + 1, pairs[i].name_size)
        memcpy(p, pairs[i].name, pairs[i].name_size)
        p += pairs[i].name_size
        p[0] = 0x12
        p = write_varint(p + 1, pairs[i].value_size)
        memcpy(p, pairs[i].value, pairs[i].value_size)
        p += pairs[i].value_size
    return p

cdef inline void _copy_short(uint8_t* to, const uint8_t* data, uint32_t size) noexcept nogil:
    """What a call of memcpy would take longer to choose than to do; the last step overlaps the one before it."""
    cdef uint32_t i = 16
    if size >= 16:
        memcpy(to, data, 16)
        while i + 16 <= size:
            memcpy(to + i, data + i, 16)
            i += 16
        memcpy(to + size - 16, data + size - 16, 16)
    elif size >= 8:
        memcpy(to, data, 8)
        memcpy(to + size - 8, data + size - 8, 8)
    elif size >= 4:
        memcpy(to, data, 4)
        memcpy(to + size - 4, data + size - 4, 4)
    elif size:
        to[0] = data[0]
        to[size >> 1] = data[size >> 1]
        to[size - 1] = data[size - 1]

cdef inline uint8_t* write_short_labels(uint8_t* p, const LabelPair* pairs, uint32_t count) noexcept nogil:
    """As `write_labels`, of labels that are all short."""
    cdef uint32_t i, name_size, value_size
    for i in range(count):
        name_size = pairs[i].name_size
        value_size = pairs[i].value_size
        p[0] = 0x0A
        p[1] = <uint8_t>(4 + name_size + value_size)
        p[2] = 0x0A
        p[3] = <uint8_t>name_size
        _copy_short(p + 4, pairs[i].name, name_size)
        p += 4 + name_size
        p[0] = 0x12
        p[1] = <uint8_t>value_size
        _copy_short(p + 2, pairs[i].value, value_size)
        p += 2 + value_size
    return p
