"""An entry that is written anew, at the end of scratch: canonical labels, then the elements that are accepted.

Where one record cannot hold all, entries with the same labels follow each other.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from wire.canonical cimport LabelPair
from wire.cursor cimport Cursor, WIRE_BYTES, varint_size, write_varint
from wire.elements cimport check_exemplar, check_sample
from wire.histogram cimport check_histogram
from wire.label_set cimport LabelSet, label_set_size, write_label_set
from wire.limits cimport MAX_LABEL_PAIRS
from wire.plan cimport IN_SCRATCH, Plan, entry_bytes, plan_add, plan_reserve
from wire.refusals cimport (
    INVALID_HISTOGRAM, INVALID_UTF8, LABEL_NAME_TOO_LONG, LABEL_VALUE_TOO_LONG, OUT_OF_BOUNDS_FUTURE,
    OUT_OF_BOUNDS_PAST, SERIES_TOO_LARGE, TOO_MANY_BUCKETS, TOO_MANY_EXEMPLARS, TOO_MANY_LABELS, TOO_MANY_SAMPLES,
    overlook, refuse
)
from wire.replicas cimport Replica, replica_in_pairs, replica_number
from wire.walk cimport (
    EXEMPLARS, HISTOGRAMS, LABELS, MALFORMED, NO_MEMORY, SAMPLES, Walk, admit_series, count_repeated,
    forget_admitted, note_elements, too_large
)

cdef struct Elements:
    uint64_t samples         # float and histogram samples, accepted or not
    uint64_t found[5]        # by field, accepted or not
    uint64_t accepted[5]
    bint plain               # nothing refused or unknown, and nothing that has to be written anew

cdef struct Draft:
    Cursor entry             # in the body, to show what was refused of it
    size_t start             # of the labels in scratch
    size_t labels            # their size
    size_t current           # start of the entry at hand; more than `start` once it was split
    uint64_t written         # elements

cdef inline bint goes_on(Walk* w, int reason, bint counts) noexcept nogil:
    """Whether a limit that an element is beyond is one that only counts."""
    return overlook(&w.refusals, reason, counts)

cdef inline int judge(Walk* w, uint32_t field, Cursor element, int64_t* timestamp, bint counts) noexcept nogil:
    """0 to accept an element, a reason to refuse it, or MALFORMED. Exemplars have their labels in them.

    What limits in shadow mode would refuse is counted where this look at the element `counts`: the first one.
    """
    cdef uint64_t buckets = 0
    cdef int result
    if field == EXEMPLARS:
        result = check_exemplar(element, timestamp)
        return INVALID_UTF8 if result > 0 else result
    result = check_sample(element, timestamp) if field == SAMPLES else check_histogram(element, timestamp, &buckets)
    if result < 0:
        return MALFORMED
    if timestamp[0] < w.min_time:
        if timestamp[0] < w.limits.outer_min_time or not goes_on(w, OUT_OF_BOUNDS_PAST, counts):
            return OUT_OF_BOUNDS_PAST
    elif timestamp[0] > w.max_time:
        if timestamp[0] > w.limits.outer_max_time or not goes_on(w, OUT_OF_BOUNDS_FUTURE, counts):
            return OUT_OF_BOUNDS_FUTURE
    if result:
        return INVALID_HISTOGRAM
    return TOO_MANY_BUCKETS if buckets > w.limits.buckets and not goes_on(w, TOO_MANY_BUCKETS, counts) else 0

cdef inline int _limit_labels(Walk* w) noexcept nogil:
    """0, or the limit that the labels at hand are beyond. Where there is nothing to store with them, there is none."""
    cdef const LabelSet* labels = &w.labels
    cdef uint32_t name_bytes = 0
    cdef uint32_t value_bytes = 0
    cdef uint32_t i
    if labels.count > MAX_LABEL_PAIRS:
        return TOO_MANY_LABELS
    if w.at_hand == 0:
        return 0
    if labels.count > w.limits.label_pairs and not overlook(&w.refusals, TOO_MANY_LABELS, w.at_hand):
        return TOO_MANY_LABELS
    if labels.longest <= w.limits.name_bytes and labels.longest <= w.limits.value_bytes:
        return 0
    for i in range(labels.count):
        name_bytes = max(name_bytes, labels.pairs[i].name_size)
        value_bytes = max(value_bytes, labels.pairs[i].value_size)
    if name_bytes > w.limits.name_bytes and not overlook(&w.refusals, LABEL_NAME_TOO_LONG, w.at_hand):
        return LABEL_NAME_TOO_LONG
    if value_bytes > w.limits.value_bytes and not overlook(&w.refusals, LABEL_VALUE_TOO_LONG, w.at_hand):
        return LABEL_VALUE_TOO_LONG
    return 0

cdef inline int _limit_elements(const Walk* w, uint32_t field) noexcept nogil:
    """0, or the reason why no further element of this kind is taken."""
    if field == EXEMPLARS:
        return TOO_MANY_EXEMPLARS if w.accepted[EXEMPLARS] >= w.limits.exemplars else 0
    return TOO_MANY_SAMPLES if w.accepted[SAMPLES] + w.accepted[HISTOGRAMS] >= w.limits.samples else 0

cdef inline bint are_too_many(const Walk* w, const Elements* e) noexcept nogil:
    """Whether some of these elements are beyond a limit of the request."""
    cdef uint64_t samples = w.accepted[SAMPLES] + w.accepted[HISTOGRAMS] + e.accepted[SAMPLES] + e.accepted[HISTOGRAMS]
    return samples > w.limits.samples or w.accepted[EXEMPLARS] + e.accepted[EXEMPLARS] > w.limits.exemplars

cdef inline void refuse_series(Walk* w, int reason, Cursor entry, const Elements* e) noexcept nogil:
    refuse(&w.refusals, reason, e.samples if e.samples else 1, entry, NULL, False)

cdef inline int begin_draft(Walk* w, Draft* d, Cursor entry, size_t labels, int replica) noexcept nogil:
    """Of labels that stand behind the end of scratch; 0, or the reason not to go on, and nothing was kept."""
    d.entry = entry
    d.start = w.plan.scratch_size
    d.labels = labels
    d.current = d.start
    d.written = 0
    w.plan.scratch_size += labels
    cdef int reason = admit_series(w, w.plan.scratch + d.start, labels, replica)
    if reason:
        w.plan.scratch_size = d.start
    return reason

cdef inline bint _take_replica(Walk* w, Replica* replica) noexcept nogil:
    """Whether the labels at hand name one; they lose its label."""
    cdef LabelSet* labels = &w.labels
    cdef LabelPair* at
    if w.replicas.replica_label_size == 0 or not replica_in_pairs(&w.replicas, labels.pairs, labels.count, replica):
        return False
    at = labels.pairs + replica.index
    labels.count -= 1
    labels.bytes -= at.name_size + at.value_size
    memmove(at, at + 1, (labels.count - replica.index) * sizeof(LabelPair))
    return True

cdef inline int draft_labels(Walk* w, Draft* d, Cursor entry, uint64_t whole) noexcept nogil:
    """Begins an entry with the labels at hand, which are settled; 0, a reason to refuse it, or NO_MEMORY.

    `whole` is its size as sent, with its labels in it.
    """
    cdef Replica replica
    cdef bint named
    cdef uint64_t size
    cdef int number = 0
    cdef int reason = _limit_labels(w)
    if reason:
        return reason
    named = _take_replica(w, &replica)
    size = label_set_size(&w.labels)
    if too_large(w, size, whole):
        return SERIES_TOO_LARGE
    if named:
        number = replica_number(&w.replicas, &replica)
    if number < 0 or plan_reserve(&w.plan, size) < 0:
        return NO_MEMORY
    write_label_set(w.plan.scratch + w.plan.scratch_size, &w.labels)
    return begin_draft(w, d, entry, size, number)

cdef inline int _close_entry(Walk* w, const Draft* d) noexcept nogil:
    cdef size_t size = w.plan.scratch_size - d.current
    if plan_add(&w.plan, d.current, size, IN_SCRATCH) < 0:
        return NO_MEMORY
    return note_elements(w, d.current + d.labels, w.plan.scratch_size)

cdef inline int _split(Walk* w, Draft* d) noexcept nogil:
    cdef Plan* plan = &w.plan
    if _close_entry(w, d) < 0 or plan_reserve(plan, d.labels) < 0:
        return NO_MEMORY
    d.current = plan.scratch_size
    memcpy(plan.scratch + d.current, plan.scratch + d.start, d.labels)
    plan.scratch_size += d.labels
    return count_repeated(w, d.labels)

cdef inline int add_element(
    Walk* w, Draft* d, uint32_t field, Cursor element, int reason, const int64_t* timestamp
) noexcept nogil:
    """Writes one element, which is not in scratch, or refuses it where there is a `reason`. 0, NO_MEMORY or TOO_LARGE."""
    cdef Plan* plan = &w.plan
    cdef size_t limit = w.max_record_bytes - 1 - varint_size(w.max_record_bytes)
    cdef size_t size = element.end - element.p
    cdef size_t whole = entry_bytes(size)
    cdef int result
    cdef uint8_t* p
    if d.labels + whole > limit:
        reason = SERIES_TOO_LARGE
    if reason == 0:
        reason = _limit_elements(w, field)
    if reason:
        refuse(&w.refusals, reason, 1, d.entry, timestamp, False)
        return 0
    if plan.scratch_size - d.current + whole > limit:
        result = _split(w, d)
        if result < 0:
            return result
    if plan_reserve(plan, whole) < 0:
        return NO_MEMORY
    p = plan.scratch + plan.scratch_size
    p[0] = <uint8_t>(field << 3 | WIRE_BYTES)
    p = write_varint(p + 1, size)
    memcpy(p, element.p, size)
    plan.scratch_size += whole
    w.accepted[field] += 1
    d.written += 1
    return 0

cdef inline int end_draft(Walk* w, const Draft* d) noexcept nogil:
    """Of an entry that came to hold nothing, nothing is kept."""
    if d.written == 0:
        forget_admitted(w)
        w.plan.scratch_size = d.start
        return 0
    w.accepted[LABELS] += 1
    return _close_entry(w, d)
