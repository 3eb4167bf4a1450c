"""One TimeSeries of a write request: read whole, then copied as it is or written anew, into a plan of records.

Two passes at most. The first reads all of it and finds nearly always that it can be copied as it is; only where labels
are not canonical, something is refused, unknown, or too large for one record, a second pass writes it anew.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memmove, memset

from wire.canonical cimport LABELS_OK, LabelPair, labels_size, read_canonical_labels, write_labels
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field, varint_size, write_varint
from wire.elements cimport check_exemplar, check_sample
from wire.histogram cimport check_histogram
from wire.label_set cimport gather_labels, has_labels
from wire.murmur3 cimport jump_hash, murmur3_x64_128
from wire.plan cimport Cut, IN_SCRATCH, Plan, entry_bytes, plan_add, plan_add_cut, plan_reserve
from wire.refusals cimport (
    INVALID_HISTOGRAM, INVALID_UTF8, OUT_OF_BOUNDS_FUTURE, OUT_OF_BOUNDS_PAST, Refusals, SERIES_TOO_LARGE, refuse
)
from wire.replicas cimport Replica, Replicas, replica_in_pairs, replica_in_run, replica_number

cdef enum:
    # Fields of a TimeSeries.
    LABELS = 1
    SAMPLES = 2
    EXEMPLARS = 3
    HISTOGRAMS = 4
    # What a step of the walk may return besides 0.
    MALFORMED = -1
    NO_MEMORY = -2

cdef struct Walk:
    const uint8_t* body
    const uint8_t* at            # where a malformed body could not be read on
    uint32_t seed
    int32_t partitions
    const int32_t* shard         # the partitions to route over
    int32_t shard_size           # 0: over all of them
    uint32_t max_record_bytes
    uint32_t max_label_pairs
    int64_t min_time
    int64_t max_time
    LabelPair* pairs             # room for max_label_pairs; made when the first series needs it
    uint64_t accepted[5]         # by field of TimeSeries; at LABELS the series themselves
    uint64_t metadata
    Plan plan
    Refusals refusals
    Replicas replicas

cdef struct Elements:
    uint64_t samples             # float and histogram samples, accepted or not
    uint64_t accepted[5]
    bint plain                   # nothing refused or unknown, and no label behind the first run

cdef inline int judge(const Walk* w, uint32_t field, Cursor element, int64_t* timestamp) noexcept nogil:
    """0 to accept an element, a reason to refuse it, or MALFORMED."""
    cdef int result
    if field == EXEMPLARS:
        result = check_exemplar(element, timestamp)
        return INVALID_UTF8 if result > 0 else result
    result = check_sample(element, timestamp) if field == SAMPLES else check_histogram(element, timestamp)
    if result < 0:
        return MALFORMED
    if timestamp[0] < w.min_time:
        return OUT_OF_BOUNDS_PAST
    if timestamp[0] > w.max_time:
        return OUT_OF_BOUNDS_FUTURE
    return INVALID_HISTOGRAM if result else 0

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
        reason = judge(w, field, element, &timestamp)
        if reason < 0:
            return MALFORMED
        if reason:
            e.plain = False
        else:
            e.accepted[field] += 1
    return 0

cdef inline uint32_t partition_of(const Walk* w, const uint8_t* data, size_t size) noexcept nogil:
    cdef uint64_t key = murmur3_x64_128(data, size, w.seed).low
    if w.shard_size:
        return <uint32_t>w.shard[jump_hash(key, w.shard_size)]
    return <uint32_t>jump_hash(key, w.partitions)

cdef inline void refuse_series(Walk* w, int reason, Cursor entry, const Elements* e) noexcept nogil:
    refuse(&w.refusals, reason, e.samples if e.samples else 1, entry, NULL, False)

cdef inline int close_entry(Walk* w, size_t start, uint32_t slot) noexcept nogil:
    return NO_MEMORY if plan_add(&w.plan, start, w.plan.scratch_size - start, slot | IN_SCRATCH) < 0 else 0

cdef inline int write_elements(Walk* w, Cursor entry, size_t start, uint32_t slot) noexcept nogil:
    """Copies acceptable elements behind the labels that scratch holds from `start` on, and names the refused ones.

    Where one record cannot hold all, entries with the same labels follow each other.
    """
    cdef Plan* plan = &w.plan
    cdef size_t labels = plan.scratch_size - start
    cdef size_t current = start
    cdef size_t limit = w.max_record_bytes - 1 - varint_size(w.max_record_bytes)
    cdef size_t size
    cdef Cursor c = entry
    cdef Cursor element
    cdef uint32_t field, wire_type
    cdef int64_t timestamp
    cdef int reason
    cdef uint8_t* p
    cdef uint64_t written = 0
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == LABELS or field > HISTOGRAMS:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if read_bytes(&c, &element) < 0:
            return MALFORMED
        reason = judge(w, field, element, &timestamp)
        size = entry_bytes(element.end - element.p)
        if labels + size > limit:
            reason = SERIES_TOO_LARGE
        if reason:
            refuse(&w.refusals, reason, 1, entry, &timestamp, False)
            continue
        if plan.scratch_size - current + size > limit:
            if close_entry(w, current, slot) < 0 or plan_reserve(plan, labels) < 0:
                return NO_MEMORY
            current = plan.scratch_size
            memcpy(plan.scratch + current, plan.scratch + start, labels)
            plan.scratch_size += labels
        if plan_reserve(plan, size) < 0:
            return NO_MEMORY
        p = plan.scratch + plan.scratch_size
        p[0] = <uint8_t>(field << 3 | WIRE_BYTES)
        p = write_varint(p + 1, element.end - element.p)
        memcpy(p, element.p, element.end - element.p)
        plan.scratch_size += size
        w.accepted[field] += 1
        written += 1
    if written == 0:
        plan.scratch_size = start
        return 0
    w.accepted[LABELS] += 1
    return close_entry(w, current, slot)

cdef inline void count_accepted(Walk* w, const Elements* e) noexcept nogil:
    cdef int field
    w.accepted[LABELS] += 1
    for field in range(SAMPLES, HISTOGRAMS + 1):
        w.accepted[field] += e.accepted[field]

cdef inline int cut_series(
    Walk* w, Cursor entry, Cursor labels, const Elements* e, const Replica* replica
) noexcept nogil:
    """An entry that can be copied as it is, but for its replica label."""
    cdef Plan* plan = &w.plan
    cdef size_t size = labels.end - labels.p
    cdef int number = replica_number(&w.replicas, replica)
    cdef uint8_t* run
    cdef Cut cut
    if number < 0 or plan_reserve(plan, size) < 0:
        return NO_MEMORY
    cut.offset = <uint32_t>(replica.field.p - entry.p)
    cut.size = <uint32_t>(replica.field.end - replica.field.p)
    run = plan.scratch + plan.scratch_size  # for as long as it is hashed
    memcpy(run, labels.p, cut.offset)
    memcpy(run + cut.offset, replica.field.end, labels.end - replica.field.end)
    number = number * w.partitions + partition_of(w, run, size - cut.size)
    if plan_add_cut(plan, entry.p - w.body, entry.end - entry.p, cut, number) < 0:
        return NO_MEMORY
    count_accepted(w, e)
    return 0

cdef inline int rewrite_series(
    Walk* w, Cursor entry, Cursor labels, bint canonical, const Elements* e, const Replica* replica
) noexcept nogil:
    """An entry that cannot be copied as it is.

    `labels` is its leading run where that is `canonical`, and `replica` what it names, or NULL.
    """
    cdef Plan* plan = &w.plan
    cdef size_t start = plan.scratch_size
    cdef uint32_t count = 0
    cdef uint64_t size = labels.end - labels.p
    cdef int reason = 0
    cdef int number = 0
    cdef uint32_t slot
    cdef Replica of_pairs
    if not canonical:
        if w.pairs == NULL:
            w.pairs = <LabelPair*>malloc(w.max_label_pairs * sizeof(LabelPair))
            if w.pairs == NULL:
                return NO_MEMORY
        reason = gather_labels(entry, w.pairs, w.max_label_pairs, &count, &w.at)
        if reason < 0:
            return MALFORMED
        replica = NULL
        if reason == 0 and w.replicas.replica_label_size:
            if replica_in_pairs(&w.replicas, w.pairs, count, &of_pairs):
                replica = &of_pairs
                count -= 1
                memmove(
                    w.pairs + of_pairs.index,
                    w.pairs + of_pairs.index + 1,
                    (count - of_pairs.index) * sizeof(LabelPair),
                )
        size = labels_size(w.pairs, count) if reason == 0 else 0
    elif replica != NULL:
        size -= replica.field.end - replica.field.p
    # Larger labels are not repeated, so that splitting adds little: two entries in a row hold 7/8 of a record besides.
    if reason == 0 and size > w.max_record_bytes // 8 and entry_bytes(entry.end - entry.p) > w.max_record_bytes:
        reason = SERIES_TOO_LARGE
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    if plan_reserve(plan, size) < 0:
        return NO_MEMORY
    if replica != NULL:
        number = replica_number(&w.replicas, replica)
        if number < 0:
            return NO_MEMORY
    if not canonical:
        write_labels(plan.scratch + start, w.pairs, count)
    elif replica != NULL:
        memcpy(plan.scratch + start, labels.p, replica.field.p - labels.p)
        memcpy(plan.scratch + start + (replica.field.p - labels.p), replica.field.end, labels.end - replica.field.end)
    else:
        memcpy(plan.scratch + start, labels.p, size)
    plan.scratch_size += size
    slot = number * w.partitions + partition_of(w, plan.scratch + start, size)
    return write_elements(w, entry, start, slot)

cdef inline int route_series(Walk* w, Cursor entry) noexcept nogil:
    cdef Cursor rest = entry
    cdef Cursor labels
    cdef uint32_t count = 0
    cdef Elements e
    cdef size_t size = entry.end - entry.p
    cdef bint canonical = read_canonical_labels(&rest, &count) == LABELS_OK and count <= w.max_label_pairs
    cdef Replica replica
    cdef bint named
    labels.p = entry.p
    labels.end = rest.p
    if read_elements(w, rest, &e) < 0:
        return MALFORMED
    named = canonical and w.replicas.replica_label_size and replica_in_run(&w.replicas, labels, &replica)
    if not (canonical and e.plain) or entry_bytes(size) > w.max_record_bytes:
        # A label behind the run makes the run but a part of the set.
        canonical = canonical and (e.plain or not has_labels(rest))
        return rewrite_series(w, entry, labels, canonical, &e, &replica if named else NULL)
    if not (e.samples or e.accepted[EXEMPLARS]):
        return 0  # a label set alone says nothing: there is nothing to store and nothing to lose
    if named:
        return cut_series(w, entry, labels, &e, &replica)
    if plan_add(&w.plan, entry.p - w.body, size, partition_of(w, labels.p, labels.end - labels.p)) < 0:
        return NO_MEMORY
    count_accepted(w, &e)
    return 0
