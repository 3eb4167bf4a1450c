"""A label set out of any TimeSeries entry, wherever its label fields stand and however they are written."""

from libc.stdint cimport uint8_t, uint32_t

from wire.canonical cimport LabelPair, compare_bytes, is_metric_name, read_label, sort_labels
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field
from wire.refusals cimport DUPLICATE_LABEL, EMPTY_LABEL_NAME, INVALID_UTF8, MISSING_NAME, TOO_MANY_LABELS
from wire.utf8 cimport is_utf8

cdef enum:
    LABELS_FIELD = 1  # of a TimeSeries

cdef inline bint has_labels(Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    while read_tag(&c, &field, &wire_type) == 0:
        if field == LABELS_FIELD:
            return True
        if skip_field(&c, wire_type) < 0:
            return False
    return False

cdef inline int gather_labels(
    Cursor c, LabelPair* pairs, uint32_t max_pairs, uint32_t* count, const uint8_t** at
) noexcept nogil:
    """0 with the sorted set in `pairs`, or the reason why there is none; -1 where it is malformed, at `at`.

    A label with an empty value does not exist and is left out. Which reason is given does not depend on the order of
    the labels.
    """
    cdef uint32_t field, wire_type, i
    cdef Cursor label
    cdef LabelPair pair
    cdef uint32_t n = 0
    cdef bint nameless = True
    cdef bint empty_name = False
    cdef bint not_utf8 = False
    cdef bint too_many = False
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
        if pair.name_size == 0:
            empty_name = True
        if not is_utf8(pair.name, pair.name_size) or not is_utf8(pair.value, pair.value_size):
            not_utf8 = True
        if pair.value_size == 0:
            continue
        if n == max_pairs:
            too_many = True
            continue
        if is_metric_name(pair.name, pair.name_size):
            nameless = False
        pairs[n] = pair
        n += 1
    if empty_name:
        return EMPTY_LABEL_NAME
    if not_utf8:
        return INVALID_UTF8
    if too_many:
        return TOO_MANY_LABELS
    sort_labels(pairs, n)
    for i in range(1, n):
        if compare_bytes(pairs[i - 1].name, pairs[i - 1].name_size, pairs[i].name, pairs[i].name_size) == 0:
            return DUPLICATE_LABEL
    count[0] = n
    return MISSING_NAME if nameless else 0
