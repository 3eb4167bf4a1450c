"""The walk over a remote-write 1.0 WriteRequest; its contract is in write_request.pyi, its reasons in docs/remote-write.md.

Two passes over each entry at most. The first reads all of it and finds nearly always that it can be copied as it is;
only where labels are not canonical, something in it is refused, unknown, or too large for one record, a second pass
writes it anew. Nothing is copied before the whole request is known to be well formed.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from wire.canonical cimport LABELS_OK, LabelPair, labels_size, read_canonical_labels, write_labels
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field, varint_size, write_varint
from wire.elements cimport check_exemplar, check_metadata, check_sample
from wire.histogram cimport check_histogram
from wire.label_set cimport gather_labels, has_labels
from wire.murmur3 cimport jump_hash, murmur3_x64_128
from wire.plan cimport (
    IN_SCRATCH, IS_METADATA, PLACE_MASK, Plan, entry_bytes, plan_add, plan_free, plan_records, plan_reserve, plan_write
)
from wire.refusals cimport (
    INVALID_HISTOGRAM, INVALID_UTF8, MAX_EXAMPLES, METADATA_TOO_LARGE, MISSING_NAME, OUT_OF_BOUNDS_FUTURE,
    OUT_OF_BOUNDS_PAST, Refusals, SERIES_TOO_LARGE, refuse, shortened, shown_series, shown_text
)

from typing import NamedTuple

from forebay.errors import InvalidData

REASONS = (
    "empty_label_name",
    "invalid_utf8",
    "too_many_labels",
    "duplicate_label",
    "missing_name",
    "series_too_large",
    "out_of_bounds_past",
    "out_of_bounds_future",
    "invalid_histogram",
    "metadata_too_large",
)

cdef enum:
    # Fields of a TimeSeries.
    LABELS = 1
    SAMPLES = 2
    EXEMPLARS = 3
    HISTOGRAMS = 4
    # What a step of the walk may return besides 0.
    MALFORMED = -1
    NO_MEMORY = -2

MAX_BODY_BYTES = 1 << 30  # a plan's offsets are 32 bits wide, and scratch may outgrow the body
cdef size_t _MAX_BODY_BYTES = MAX_BODY_BYTES


class Rejection(NamedTuple):
    reason: str
    series: str
    timestamp: int | None


class Routed(NamedTuple):
    records: list
    series: int
    samples: int
    histograms: int
    exemplars: int
    metadata: int
    rejected: dict
    examples: list


cdef struct Walk:
    const uint8_t* body
    const uint8_t* at            # where a malformed body could not be read on
    uint32_t seed
    int32_t partitions
    uint32_t max_record_bytes
    uint32_t max_label_pairs
    int64_t min_time
    int64_t max_time
    LabelPair* pairs             # room for max_label_pairs; made when the first series needs it
    uint64_t accepted[5]         # by field of TimeSeries; at LABELS the series themselves
    uint64_t metadata
    Plan plan
    Refusals refusals

cdef struct Elements:
    uint64_t samples             # float and histogram samples, accepted or not
    uint64_t accepted[5]
    bint plain                   # nothing refused or unknown, and no label behind the first run


cdef int judge(const Walk* w, uint32_t field, Cursor element, int64_t* timestamp) noexcept nogil:
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


cdef int read_elements(Walk* w, Cursor c, Elements* e) noexcept nogil:
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


cdef uint32_t partition_of(const Walk* w, const uint8_t* data, size_t size) noexcept nogil:
    return <uint32_t>jump_hash(murmur3_x64_128(data, size, w.seed).low, w.partitions)


cdef void refuse_series(Walk* w, int reason, Cursor entry, const Elements* e) noexcept nogil:
    refuse(&w.refusals, reason, e.samples if e.samples else 1, entry, NULL, False)


cdef int close_entry(Walk* w, size_t start, uint32_t partition) noexcept nogil:
    return NO_MEMORY if plan_add(&w.plan, start, w.plan.scratch_size - start, partition | IN_SCRATCH) < 0 else 0


cdef int write_elements(Walk* w, Cursor entry, size_t start, uint32_t partition) noexcept nogil:
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
            if close_entry(w, current, partition) < 0 or plan_reserve(plan, labels) < 0:
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
    return close_entry(w, current, partition)


cdef int rewrite_series(Walk* w, Cursor entry, Cursor labels, bint canonical, const Elements* e) noexcept nogil:
    """An entry that cannot be copied as it is; `labels` is its leading run where that is `canonical`."""
    cdef Plan* plan = &w.plan
    cdef size_t start = plan.scratch_size
    cdef uint32_t count = 0
    cdef uint64_t size = labels.end - labels.p
    cdef int reason = 0
    if not canonical:
        if w.pairs == NULL:
            w.pairs = <LabelPair*>malloc(w.max_label_pairs * sizeof(LabelPair))
            if w.pairs == NULL:
                return NO_MEMORY
        reason = gather_labels(entry, w.pairs, w.max_label_pairs, &count, &w.at)
        if reason < 0:
            return MALFORMED
        size = labels_size(w.pairs, count) if reason == 0 else 0
    # Larger labels are not repeated, so that splitting adds little: two entries in a row hold 7/8 of a record besides.
    if reason == 0 and size > w.max_record_bytes // 8 and entry_bytes(entry.end - entry.p) > w.max_record_bytes:
        reason = SERIES_TOO_LARGE
    if reason:
        refuse_series(w, reason, entry, e)
        return 0
    if plan_reserve(plan, size) < 0:
        return NO_MEMORY
    if canonical:
        memcpy(plan.scratch + start, labels.p, size)
    else:
        write_labels(plan.scratch + start, w.pairs, count)
    plan.scratch_size += size
    return write_elements(w, entry, start, partition_of(w, plan.scratch + start, size))


cdef int route_series(Walk* w, Cursor entry) noexcept nogil:
    cdef Cursor rest = entry
    cdef Cursor labels
    cdef uint32_t count = 0
    cdef Elements e
    cdef size_t size = entry.end - entry.p
    cdef bint canonical = read_canonical_labels(&rest, &count) == LABELS_OK and count <= w.max_label_pairs
    cdef int field
    labels.p = entry.p
    labels.end = rest.p
    if read_elements(w, rest, &e) < 0:
        return MALFORMED
    if not (canonical and e.plain) or entry_bytes(size) > w.max_record_bytes:
        # A label behind the run makes the run but a part of the set.
        return rewrite_series(w, entry, labels, canonical and not has_labels(rest), &e)
    if not (e.samples or e.accepted[EXEMPLARS]):
        return 0  # a label set alone says nothing: there is nothing to store and nothing to lose
    if plan_add(&w.plan, entry.p - w.body, size, partition_of(w, labels.p, labels.end - labels.p)) < 0:
        return NO_MEMORY
    w.accepted[LABELS] += 1
    for field in range(SAMPLES, HISTOGRAMS + 1):
        w.accepted[field] += e.accepted[field]
    return 0


cdef int route_metadata(Walk* w, Cursor entry) noexcept nogil:
    cdef Cursor family
    cdef int reason = check_metadata(entry, &family)
    cdef size_t size = entry.end - entry.p
    w.at = entry.p
    if reason < 0:
        return MALFORMED
    if reason:
        reason = INVALID_UTF8
    elif family.p == family.end:
        reason = MISSING_NAME
    elif entry_bytes(size) > w.max_record_bytes:
        reason = METADATA_TOO_LARGE
    if reason:
        refuse(&w.refusals, reason, 1, entry, NULL, True)
        return 0
    w.metadata += 1
    if plan_add(&w.plan, entry.p - w.body, size, partition_of(w, family.p, family.end - family.p) | IS_METADATA) < 0:
        return NO_MEMORY
    return 0


cdef int walk(Walk* w, Cursor c) noexcept nogil:
    """The whole request, then its plan of records; 0, MALFORMED or NO_MEMORY."""
    cdef uint32_t field, wire_type
    cdef Cursor entry
    cdef int result
    while c.p < c.end:
        w.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field != 1 and field != 3:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &entry) < 0:
            return MALFORMED
        result = route_series(w, entry) if field == 1 else route_metadata(w, entry)
        if result < 0:
            return result
    return NO_MEMORY if plan_records(&w.plan, w.partitions, w.max_record_bytes) < 0 else 0


cdef list write_records(Walk* w):
    cdef size_t i
    records = []
    for i in range(w.plan.record_count):
        value = PyBytes_FromStringAndSize(NULL, w.plan.records[i].size)
        w.plan.records[i].end = <uint8_t*>PyBytes_AS_STRING(value)
        records.append((w.plan.records[i].partition, value))
    with nogil:
        plan_write(&w.plan, w.body)
    return records


cdef list shown_examples(Refusals* r):
    cdef uint32_t i
    cdef Cursor family
    examples = []
    for i in range(r.example_count):
        if r.examples[i].is_metadata:
            check_metadata(r.examples[i].entry, &family)
            shown = shortened(f'{{__name__="{shown_text(family.p, family.end - family.p)}"}}')
        else:
            shown = shown_series(r.examples[i].entry)
        timestamp = r.examples[i].timestamp if r.examples[i].has_timestamp else None
        examples.append(Rejection(REASONS[r.examples[i].reason - 1], shown, timestamp))
    return examples


cdef class Router:
    cdef int32_t partitions
    cdef uint32_t max_record_bytes
    cdef uint32_t max_label_pairs
    cdef uint32_t max_examples

    def __init__(self, partitions, *, max_record_bytes=900 * 1024, max_label_pairs=1024, max_examples=10):
        for name, value, least, most in (
            ("partitions", partitions, 1, PLACE_MASK),
            ("max_record_bytes", max_record_bytes, 64, 1 << 30),
            ("max_label_pairs", max_label_pairs, 1, 1 << 20),
            ("max_examples", max_examples, 0, MAX_EXAMPLES),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most} (got {value})")
        self.partitions = partitions
        self.max_record_bytes = max_record_bytes
        self.max_label_pairs = max_label_pairs
        self.max_examples = max_examples

    def route(self, const uint8_t[::1] body not None, uint32_t seed, int64_t min_time, int64_t max_time):
        cdef Walk w
        cdef Cursor c
        cdef int result
        cdef size_t size = body.shape[0]
        if size == 0:
            return Routed([], 0, 0, 0, 0, 0, {}, [])
        if size > _MAX_BODY_BYTES:
            raise InvalidData(f"write request too large: bytes={size} limit={MAX_BODY_BYTES}")
        memset(&w, 0, sizeof(Walk))
        w.body = &body[0]
        w.seed = seed
        w.partitions = self.partitions
        w.max_record_bytes = self.max_record_bytes
        w.max_label_pairs = self.max_label_pairs
        w.min_time = min_time
        w.max_time = max_time
        w.refusals.max_examples = self.max_examples
        c.p = w.body
        c.end = w.body + size
        try:
            with nogil:
                result = walk(&w, c)
            if result == MALFORMED:
                raise InvalidData(f"malformed write request: offset={w.at - w.body} bytes={size}")
            if result == NO_MEMORY:
                raise MemoryError
            return Routed(
                write_records(&w),
                w.accepted[LABELS],
                w.accepted[SAMPLES],
                w.accepted[HISTOGRAMS],
                w.accepted[EXEMPLARS],
                w.metadata,
                {reason: w.refusals.counts[i + 1] for i, reason in enumerate(REASONS) if w.refusals.counts[i + 1]},
                shown_examples(&w.refusals),
            )
        finally:
            plan_free(&w.plan)
            free(w.pairs)
