"""One TimeSeries of a remote-write 1.0 request: read whole, then copied as it is or written anew, into a plan of records.

Two passes at most. The first reads all of it and finds nearly always that it can be copied as it is; only where labels
are not canonical, something is refused, unknown, or too large for one record, a second pass writes it anew.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from wire.canonical cimport LABELS_OK, LabelSizes, read_canonical_labels
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field
from wire.draft cimport (
    Draft, Elements, add_element, are_too_many, begin_draft, draft_labels, end_draft, judge, refuse_series
)
from wire.label_set cimport begin_labels, gather_labels, has_labels, settle_labels
from wire.plan cimport Cut, Plan, entry_bytes, plan_add, plan_add_cut, plan_reserve
from wire.refusals cimport SERIES_TOO_LARGE
from wire.replicas cimport Replica, replica_in_run, replica_number
from wire.series_rules cimport LEFT_OUT, RELABELLED, leave_out, relabel_labels, relabel_run
from wire.walk cimport (
    EXEMPLARS, HISTOGRAMS, LABELS, MALFORMED, NO_MEMORY, SAMPLES, Walk, admit_series, hash_admitted, note_elements,
    too_large
)

cdef inline int read_elements(Walk* w, Cursor c, Elements* e) noexcept nogil:
    """Reads what stands behind the labels, all of it, and counts what is acceptable."""
    cdef uint32_t field, wire_type
    cdef Cursor element
    cdef int64_t timestamp
    cdef int reason
    memset(e, 0, sizeof(Elements))
    e.plain = True
    while c.p < c.end:
        w.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field > HISTOGRAMS:
            e.plain = False
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &element) < 0:
            return MALFORMED
        if field == LABELS:
            e.plain = False
            continue
        e.samples += field != EXEMPLARS
        e.found[field] += 1
        reason = judge(w, field, element, &timestamp, True)
        if reason < 0:
            return MALFORMED
        if reason:
            e.plain = False
        else:
            e.accepted[field] += 1
    w.at_hand = e.samples if e.samples else e.accepted[EXEMPLARS] != 0
    return 0

cdef inline int write_elements(Walk* w, Draft* d) noexcept nogil:
    """Copies acceptable elements behind the labels, and names the refused ones."""
    cdef Cursor c = d.entry
    cdef Cursor element
    cdef uint32_t field, wire_type
    cdef int64_t timestamp
    cdef int result
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == LABELS or field > HISTOGRAMS:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if read_bytes(&c, &element) < 0:
            return MALFORMED
        result = judge(w, field, element, &timestamp, False)
        result = add_element(w, d, field, element, result, &timestamp)
        if result < 0:
            return result
    return end_draft(w, d)

cdef inline void count_accepted(Walk* w, const Elements* e) noexcept nogil:
    cdef int field
    w.accepted[LABELS] += 1
    for field in range(SAMPLES, HISTOGRAMS + 1):
        w.accepted[field] += e.accepted[field]

cdef inline int copy_series(Walk* w, Cursor entry, Cursor labels, const Elements* e) noexcept nogil:
    """An entry that can be copied as it is."""
    cdef int reason = admit_series(w, labels.p, labels.end - labels.p, 0)
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    if plan_add(&w.plan, entry.p - w.body, entry.end - entry.p, 0) < 0:
        return NO_MEMORY
    count_accepted(w, e)
    return note_elements(w, labels.end - w.body, entry.end - w.body)

cdef inline int cut_series(
    Walk* w, Cursor entry, Cursor labels, const Elements* e, const Replica* replica
) noexcept nogil:
    """An entry that can be copied as it is, but for its replica label."""
    cdef Plan* plan = &w.plan
    cdef size_t size = labels.end - labels.p
    cdef int number = replica_number(&w.replicas, replica)
    cdef int reason
    cdef uint8_t* run
    cdef Cut cut
    if number < 0 or plan_reserve(plan, size) < 0:
        return NO_MEMORY
    cut.offset = <uint32_t>(replica.field.p - entry.p)
    cut.size = <uint32_t>(replica.field.end - replica.field.p)
    run = plan.scratch + plan.scratch_size  # for as long as it is hashed
    memcpy(run, labels.p, cut.offset)
    memcpy(run + cut.offset, replica.field.end, labels.end - replica.field.end)
    reason = admit_series(w, run, size - cut.size, number)
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    hash_admitted(w)
    if plan_add_cut(plan, entry.p - w.body, entry.end - entry.p, cut, 0) < 0:
        return NO_MEMORY
    count_accepted(w, e)
    return note_elements(w, labels.end - w.body, entry.end - w.body)

cdef inline int _draft_run(Walk* w, Draft* d, Cursor entry, Cursor labels, const Replica* replica) noexcept nogil:
    """As `draft_labels`, of labels that are canonical as they stand; `replica` is what they name, or NULL."""
    cdef size_t size = labels.end - labels.p
    cdef size_t head = size
    cdef int number = 0
    cdef uint8_t* run
    if replica != NULL:
        head = replica.field.p - labels.p
        size -= replica.field.end - replica.field.p
    if too_large(w, size, entry.end - entry.p):
        return SERIES_TOO_LARGE
    if replica != NULL:
        number = replica_number(&w.replicas, replica)
    if number < 0 or plan_reserve(&w.plan, size) < 0:
        return NO_MEMORY
    run = w.plan.scratch + w.plan.scratch_size
    memcpy(run, labels.p, head)
    if replica != NULL:
        memcpy(run + head, replica.field.end, labels.end - replica.field.end)
    return begin_draft(w, d, entry, size, number)

cdef inline int rewrite_run(
    Walk* w, Cursor entry, Cursor labels, const Elements* e, const Replica* replica
) noexcept nogil:
    """An entry that cannot be copied as it is, though its labels are canonical; `replica` is what they name, or NULL."""
    cdef Draft d
    cdef int reason = _draft_run(w, &d, entry, labels, replica)
    if reason < 0:
        return reason
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    return write_elements(w, &d)

cdef inline int draft_series(Walk* w, Cursor entry, int reason, const Elements* e) noexcept nogil:
    """An entry with the labels at hand, or the reason or error that came of them."""
    cdef Draft d
    if reason == 0:
        reason = draft_labels(w, &d, entry, entry.end - entry.p)
    if reason < 0:
        return reason
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    return write_elements(w, &d)

cdef inline int gather_series(Walk* w, Cursor entry) noexcept nogil:
    """Makes its labels those at hand, wherever they stand: 0, a reason or an error."""
    if begin_labels(&w.labels) < 0:
        return NO_MEMORY
    if gather_labels(entry, &w.labels, &w.at) < 0:
        return MALFORMED
    return settle_labels(&w.labels)

cdef inline int relabel_series(Walk* w, Cursor entry, Cursor labels, bint canonical, const Elements* e) noexcept nogil:
    """RELABELLED where the entry is to be stored as it is; else 0 or an error, and all is said about it."""
    cdef int result
    if canonical:
        result = relabel_run(w, labels)
        if result == 0:
            return RELABELLED
    else:
        result = relabel_labels(w, gather_series(w, entry))
    if result == LEFT_OUT:
        leave_out(w, e)
        return 0
    return draft_series(w, entry, 0 if result == RELABELLED else result, e)

cdef inline bint within_limits(const Walk* w, const LabelSizes* sizes) noexcept nogil:
    return (
        sizes.count <= w.limits.label_pairs
        and sizes.name_bytes <= w.limits.name_bytes
        and sizes.value_bytes <= w.limits.value_bytes
    )

cdef inline int route_series(Walk* w, Cursor entry) noexcept nogil:
    cdef Cursor rest = entry
    cdef Cursor labels
    cdef LabelSizes sizes
    cdef Elements e
    cdef bint canonical = read_canonical_labels(&rest, &sizes) == LABELS_OK and sizes.count <= w.labels.room
    cdef Replica replica
    cdef bint named
    cdef int result
    labels.p = entry.p
    labels.end = rest.p
    if read_elements(w, rest, &e) < 0:
        return MALFORMED
    # A label behind the run makes the run but a part of the set.
    canonical = canonical and (e.plain or not has_labels(rest))
    if w.relabeler != NULL and (e.samples or e.found[EXEMPLARS]):
        result = relabel_series(w, entry, labels, canonical, &e)
        if result != RELABELLED:
            return result
    if not canonical or not within_limits(w, &sizes):
        return draft_series(w, entry, gather_series(w, entry), &e)
    named = w.replicas.replica_label_size and replica_in_run(&w.replicas, labels, &replica)
    if not e.plain or entry_bytes(entry.end - entry.p) > w.max_record_bytes or are_too_many(w, &e):
        return rewrite_run(w, entry, labels, &e, &replica if named else NULL)
    if not (e.samples or e.accepted[EXEMPLARS]):
        return 0  # a label set alone says nothing: there is nothing to store and nothing to lose
    if named:
        return cut_series(w, entry, labels, &e, &replica)
    return copy_series(w, entry, labels, &e)
