"""One TimeSeries of a remote-write 2.0 request: read whole, then written into scratch as remote-write 1.0 has it.

Its labels are references to the request's symbols, which were checked once. Start timestamps and custom bucket bounds
keep their fields: samples and histograms are copied as they are.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from wire.canonical cimport is_metric_name
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field, write_varint
from wire.draft cimport (
    Draft, Elements, add_element, are_too_many, draft_labels, end_draft, judge, refuse_series
)
from wire.exemplar_refs cimport check_exemplar_refs, write_exemplar
from wire.label_set cimport LabelSet, begin_labels, settle_labels
from wire.metadata_set cimport (
    Metadata, metadata_size, name_family, read_metadata, remember_metadata, says_something, write_metadata
)
from wire.plain_series_v2 cimport NOT_PLAIN, route_plain_series_v2
from wire.plan cimport IN_SCRATCH, IS_METADATA, _grown, entry_bytes, plan_add, plan_reserve
from wire.refusals cimport INVALID_SYMBOLS, INVALID_UTF8, METADATA_TOO_LARGE, refuse
from wire.series_rules cimport LEFT_OUT, RELABELLED, leave_out, relabel_labels
from wire.symbols cimport References, Symbol, gather_references, is_text, read_references
from wire.walk cimport (
    EXEMPLARS, HISTOGRAMS, MALFORMED, NO_MEMORY, SAMPLES, Walk, count_repeated, hash_of, partition_of
)

cdef enum:
    # Fields of a TimeSeries, where they are not a record's.
    REFERENCES_V2 = 1
    SAMPLES_V2 = 2
    HISTOGRAMS_V2 = 3
    EXEMPLARS_V2 = 4
    METADATA_V2 = 5

cdef inline uint32_t _field_of_record(uint32_t field) noexcept nogil:
    """What samples, histograms and exemplars are numbered in a record."""
    if field == HISTOGRAMS_V2:
        return HISTOGRAMS
    return EXEMPLARS if field == EXEMPLARS_V2 else SAMPLES

cdef inline int _judge_v2(
    Walk* w, uint32_t field, Cursor element, int64_t* timestamp, uint64_t* size, bint counts
) noexcept nogil:
    """As `judge`; of an exemplar the room that it needs, too."""
    if field == EXEMPLARS:
        return check_exemplar_refs(&w.symbols, element, timestamp, size)
    return judge(w, field, element, timestamp, counts)

cdef inline int _read_series(Walk* w, Cursor c, References* refs, Elements* e, Metadata* m) noexcept nogil:
    """Reads all of an entry: its labels, which elements are acceptable, its metadata."""
    cdef uint32_t field, wire_type
    cdef Cursor inner
    cdef int64_t timestamp
    cdef uint64_t size
    cdef int reason
    while c.p < c.end:
        w.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == REFERENCES_V2:
            if read_references(&c, wire_type, &inner) < 0 or gather_references(&w.symbols, inner, refs, &w.labels) < 0:
                return MALFORMED
            continue
        if field > METADATA_V2:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
            return MALFORMED
        if field == METADATA_V2:
            if read_metadata(inner, m) < 0:
                return MALFORMED
            continue
        field = _field_of_record(field)
        e.samples += field != EXEMPLARS
        e.found[field] += 1
        reason = _judge_v2(w, field, inner, &timestamp, &size, True)
        if reason < 0:
            return MALFORMED
        if reason:
            e.plain = False
        else:
            e.accepted[field] += 1
    w.at_hand = e.samples if e.samples else e.accepted[EXEMPLARS] != 0
    return 0

cdef inline int _write_exemplar(Walk* w, Cursor* element, uint64_t size) noexcept nogil:
    """Puts an exemplar together, and points to that instead."""
    cdef void* spare = _grown(w.spare, &w.spare_room, size, 1)
    if spare == NULL:
        return NO_MEMORY
    w.spare = <uint8_t*>spare
    element.end = write_exemplar(&w.symbols, element[0], w.spare)
    element.p = w.spare
    return 0

cdef inline bint _fits(const Walk* w, const Draft* d) noexcept nogil:
    """Whether one record surely holds the entry: its elements take no more bytes there than in the body."""
    return d.labels + (d.entry.end - d.entry.p) + 8 <= w.max_record_bytes

cdef inline int _copy_elements(Walk* w, Draft* d, const Elements* e) noexcept nogil:
    """As `_write_elements_v2`, of samples and histograms that are all acceptable and fit."""
    cdef Cursor c = d.entry
    cdef Cursor element
    cdef uint32_t field, wire_type
    cdef uint8_t* p
    if plan_reserve(&w.plan, c.end - c.p) < 0:
        return NO_MEMORY
    p = w.plan.scratch + w.plan.scratch_size
    while c.p < c.end:
        read_tag(&c, &field, &wire_type)
        if field != SAMPLES_V2 and field != HISTOGRAMS_V2:
            skip_field(&c, wire_type)
            continue
        read_bytes(&c, &element)
        p[0] = <uint8_t>(_field_of_record(field) << 3 | WIRE_BYTES)
        p = write_varint(p + 1, element.end - element.p)
        memcpy(p, element.p, element.end - element.p)
        p += element.end - element.p
    w.plan.scratch_size = p - w.plan.scratch
    w.accepted[SAMPLES] += e.accepted[SAMPLES]
    w.accepted[HISTOGRAMS] += e.accepted[HISTOGRAMS]
    d.written = e.samples
    return end_draft(w, d)

cdef inline int _write_elements_v2(Walk* w, Draft* d) noexcept nogil:
    """Copies acceptable elements behind the labels, and names the refused ones."""
    cdef Cursor c = d.entry
    cdef Cursor element
    cdef uint32_t field, wire_type
    cdef int64_t timestamp
    cdef uint64_t size
    cdef int reason, result
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field < SAMPLES_V2 or field > EXEMPLARS_V2:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if read_bytes(&c, &element) < 0:
            return MALFORMED
        field = _field_of_record(field)
        reason = _judge_v2(w, field, element, &timestamp, &size, False)
        if field == EXEMPLARS and reason == 0:
            result = count_repeated(w, size)
            if result == 0:
                result = _write_exemplar(w, &element, size)
            if result < 0:
                return result
        result = add_element(w, d, field, element, reason, &timestamp)
        if result < 0:
            return result
    return end_draft(w, d)

cdef inline void _name_metadata(Metadata* m, const LabelSet* labels) noexcept nogil:
    """By the name that was sent: it lies in the body, where it stays."""
    cdef uint32_t i
    for i in range(labels.count):
        if is_metric_name(labels.pairs[i].name, labels.pairs[i].name_size):
            name_family(m, labels.pairs[i].value, labels.pairs[i].value_size)

cdef inline int _route_metadata_v2(Walk* w, Cursor entry, const Metadata* m) noexcept nogil:
    cdef const Symbol* help
    cdef const Symbol* unit
    cdef uint64_t size
    cdef uint32_t partition
    cdef int result = 0
    if m.help >= w.symbols.count or m.unit >= w.symbols.count:
        refuse(&w.refusals, INVALID_SYMBOLS, 1, entry, NULL, False)
        return 0
    result = remember_metadata(&w.known, m)
    if result <= 0:
        return NO_MEMORY if result < 0 else 0
    help = &w.symbols.found[m.help]
    unit = &w.symbols.found[m.unit]
    size = metadata_size(m, help, unit)
    result = 0
    if not is_text(help) or not is_text(unit):
        result = INVALID_UTF8
    elif entry_bytes(size) > w.max_record_bytes:
        result = METADATA_TOO_LARGE
    if result:
        refuse(&w.refusals, result, 1, entry, NULL, False)
        return 0
    result = count_repeated(w, size)
    if result < 0:
        return result
    if plan_reserve(&w.plan, size) < 0:
        return NO_MEMORY
    write_metadata(w.plan.scratch + w.plan.scratch_size, m, &w.symbols, help, unit)
    partition = partition_of(w, hash_of(w, m.family.p, m.family.end - m.family.p))
    if plan_add(&w.plan, w.plan.scratch_size, size, partition | IN_SCRATCH | IS_METADATA) < 0:
        return NO_MEMORY
    w.plan.scratch_size += size
    w.metadata += 1
    return 0

cdef inline int _route_series_v2(Walk* w, Cursor entry) noexcept nogil:
    """Of any series."""
    cdef References refs
    cdef Elements e
    cdef Metadata m
    cdef Draft d
    cdef int result
    memset(&refs, 0, sizeof(References))
    memset(&e, 0, sizeof(Elements))
    memset(&m, 0, sizeof(Metadata))
    e.plain = True
    if begin_labels(&w.labels) < 0:
        return NO_MEMORY
    if _read_series(w, entry, &refs, &e, &m) < 0:
        return MALFORMED
    # Counted whether it is written or not: sorting takes time, too.
    result = count_repeated(w, w.labels.bytes)
    if result == 0:
        result = INVALID_SYMBOLS if refs.broken or refs.half else settle_labels(&w.labels)
    if says_something(&m):
        _name_metadata(&m, &w.labels)
    if result >= 0 and w.relabeler != NULL and (e.samples or e.found[EXEMPLARS]):
        result = relabel_labels(w, result)
        if result == LEFT_OUT:
            leave_out(w, &e)
            return 0
        if result == RELABELLED:
            result = 0
    if result < 0:
        return result
    if result:
        refuse_series(w, result, entry, &e)
        return 0
    if m.family.p != m.family.end:
        result = _route_metadata_v2(w, entry, &m)
        if result < 0:
            return result
    if e.plain and not (e.samples or e.accepted[EXEMPLARS]):
        return 0  # a label set alone says nothing: there is nothing to store and nothing to lose
    result = draft_labels(w, &d, entry, w.labels.bytes + (entry.end - entry.p))
    if result < 0:
        return result
    if result:
        refuse_series(w, result, entry, &e)
        return 0
    if e.plain and not e.found[EXEMPLARS] and _fits(w, &d) and not are_too_many(w, &e):
        return _copy_elements(w, &d, &e)
    return _write_elements_v2(w, &d)

cdef inline int route_series_v2(Walk* w, Cursor entry) noexcept nogil:
    cdef Metadata m
    cdef int result
    if w.relabeler != NULL:
        return _route_series_v2(w, entry)
    m.family.p = m.family.end = NULL
    result = route_plain_series_v2(w, entry, &m)
    if result == NOT_PLAIN:
        return _route_series_v2(w, entry)
    if result == 0 and m.family.p != m.family.end:
        return _route_metadata_v2(w, entry, &m)
    return result
