"""A label set out of any TimeSeries entry, wherever its labels stand and however they are written: sorted, and checked."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc

from wire.canonical cimport (
    LabelPair, SHORT_LABEL, SHORT_LABEL_OVERHEAD, compare_bytes, is_metric_name, labels_size, read_label, sort_labels,
    write_labels, write_short_labels
)
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field
from wire.refusals cimport DUPLICATE_LABEL, EMPTY_LABEL_NAME, INVALID_UTF8, MISSING_NAME, TOO_MANY_LABELS
from wire.utf8 cimport is_utf8

cdef enum:
    LABELS_FIELD = 1  # of a TimeSeries

cdef struct LabelSet:
    LabelPair* pairs  # room for `room`; made when the first set needs it
    uint32_t room
    uint32_t count
    uint64_t bytes    # of names and values
    uint32_t longest  # of one label, name and value
    bint named
    bint empty_name
    bint not_utf8
    bint too_many

cdef inline int begin_labels(LabelSet* s) noexcept nogil:
    """An empty set; -1 without memory."""
    if s.pairs == NULL:
        s.pairs = <LabelPair*>malloc(s.room * sizeof(LabelPair))
        if s.pairs == NULL:
            return -1
    s.count = 0
    s.bytes = 0
    s.longest = 0
    s.named = False
    s.empty_name = False
    s.not_utf8 = False
    s.too_many = False
    return 0

cdef inline void add_label(LabelSet* s, LabelPair pair, bint is_text) noexcept nogil:
    """A label with an empty value does not exist and is left out."""
    cdef uint32_t size = pair.name_size + pair.value_size
    if pair.name_size == 0:
        s.empty_name = True
    if not is_text:
        s.not_utf8 = True
    if pair.value_size == 0:
        return
    if s.count == s.room:
        s.too_many = True
        return
    if is_metric_name(pair.name, pair.name_size):
        s.named = True
    s.pairs[s.count] = pair
    s.count += 1
    s.bytes += size
    if size > s.longest:
        s.longest = size

cdef inline bint _ascends(const LabelSet* s) noexcept nogil:
    cdef const LabelPair* pairs = s.pairs
    cdef uint32_t i
    for i in range(1, s.count):
        if pairs[i].name[0] <= pairs[i - 1].name[0]:  # mostly the first bytes decide
            if compare_bytes(pairs[i - 1].name, pairs[i - 1].name_size, pairs[i].name, pairs[i].name_size) >= 0:
                return False
    return True

cdef inline int settle_labels(LabelSet* s) noexcept nogil:
    """0 with the set sorted, or the reason why there is none, which does not depend on the order of the labels."""
    cdef LabelPair* pairs = s.pairs
    cdef uint32_t i
    if s.empty_name:
        return EMPTY_LABEL_NAME
    if s.not_utf8:
        return INVALID_UTF8
    if s.too_many:
        return TOO_MANY_LABELS
    if not _ascends(s):
        sort_labels(pairs, s.count)
        for i in range(1, s.count):
            if compare_bytes(pairs[i - 1].name, pairs[i - 1].name_size, pairs[i].name, pairs[i].name_size) == 0:
                return DUPLICATE_LABEL
    return 0 if s.named else MISSING_NAME

cdef inline uint64_t label_set_size(const LabelSet* s) noexcept nogil:
    """Bytes that `write_label_set` writes."""
    if s.longest <= SHORT_LABEL:
        return s.bytes + <uint64_t>SHORT_LABEL_OVERHEAD * s.count
    return labels_size(s.pairs, s.count)

cdef inline uint8_t* write_label_set(uint8_t* p, const LabelSet* s) noexcept nogil:
    """The set, which is settled, in canonical form; returns the end."""
    if s.longest <= SHORT_LABEL:
        return write_short_labels(p, s.pairs, s.count)
    return write_labels(p, s.pairs, s.count)

cdef inline bint has_labels(Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    while read_tag(&c, &field, &wire_type) == 0:
        if field == LABELS_FIELD:
            return True
        if skip_field(&c, wire_type) < 0:
            return False
    return False

cdef inline int gather_labels(Cursor c, LabelSet* s, const uint8_t** at) noexcept nogil:
    """Adds the labels of a remote-write 1.0 entry; -1 where one is malformed, at `at`."""
    cdef uint32_t field, wire_type
    cdef Cursor label
    cdef LabelPair pair
    while c.p < c.end:
        at[0] = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field != LABELS_FIELD:
            if skip_field(&c, wire_type) < 0:
                return -1
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &label) < 0 or read_label(label, &pair) < 0:
            return -1
        add_label(s, pair, is_utf8(pair.name, pair.name_size) and is_utf8(pair.value, pair.value_size))
    return 0
