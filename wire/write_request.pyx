"""From the body of a write request to records; the contract is in write_request.pyi, the reasons in docs/remote-write.md.

No record is made before the whole request is known to be well formed; the walk over it is in request_walk.pxd.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from wire.columns cimport columns_free, columns_write
from wire.cursor cimport Cursor
from wire.elements cimport check_metadata
from wire.known_pairs cimport known_free
from wire.label_builder cimport MAX_BUILT
from wire.limits cimport Limits, MAX_LABEL_PAIRS, limit32, limit64
from wire.plan cimport PLACE_MASK, plan_free, plan_write
from wire.refusals cimport (
    MAX_EXAMPLES, Example, TOO_MANY_EXEMPLARS, TOO_MANY_LABELS, TOO_MANY_SAMPLES, shortened, shown_series, shown_text
)
from wire.relabel cimport RelabelRules, Relabeler
from wire.replicas cimport MAX_REPLICAS, Replica
from wire.request_walk cimport walk_request
from wire.series_set cimport SeriesSet
from wire.symbols cimport shown_references
from wire.walk cimport (
    EXEMPLARS, HISTOGRAMS, LABELS, MALFORMED, NO_MEMORY, NO_SYMBOLS, OTHER_PROTOCOL, SAMPLES, TOO_LARGE, Walk
)
from wire.written_labels cimport LabelNotes, WrittenLabels

from typing import NamedTuple

from forebay.errors import InvalidData
from wire.snappy import BodyTooLarge

REASONS = (
    "invalid_symbols",
    "empty_label_name",
    "invalid_utf8",
    "too_many_labels",
    "duplicate_label",
    "missing_name",
    "label_name_too_long",
    "label_value_too_long",
    "series_too_large",
    "too_many_series",
    "out_of_bounds_past",
    "out_of_bounds_future",
    "invalid_histogram",
    "too_many_buckets",
    "too_many_samples",
    "too_many_exemplars",
    "metadata_too_large",
    "active_series",
)
LIMIT_REASONS = (
    "too_many_labels",
    "label_name_too_long",
    "label_value_too_long",
    "too_many_series",
    "out_of_bounds_past",
    "out_of_bounds_future",
    "too_many_buckets",
    "too_many_samples",
    "too_many_exemplars",
    "active_series",
)

MAX_BODY_BYTES = 1 << 30  # a plan's offsets are 32 bits wide, and scratch may outgrow the body
cdef size_t _MAX_BODY_BYTES = MAX_BODY_BYTES
_LARGEST = (1 << 63) - 1  # limits that are above what can be are none


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
    replicas: dict
    unnamed: int
    dropped: int = 0
    dropped_histograms: int = 0
    dropped_exemplars: int = 0
    shadowed: dict = {}
    parts: tuple = ()
    labels: object = None
    again: object = None


cdef list write_records(Walk* w):
    cdef size_t i
    records = []
    for i in range(w.plan.record_count):
        value = PyBytes_FromStringAndSize(NULL, w.plan.records[i].size)
        w.plan.records[i].end = <uint8_t*>PyBytes_AS_STRING(value)
        records.append((w.plan.records[i].slot % w.partitions, value))
    with nogil:
        if w.written != NULL:
            columns_write(&w.plan, &w.columns, w.body, w.written.window)
        else:
            plan_write(&w.plan, w.body)
    return records


cdef dict named_replicas(Walk* w):
    cdef Replica* r
    cdef size_t i
    cdef uint32_t number
    names = []
    for number in range(w.replicas.count):
        r = &w.replicas.found[number]
        cluster = r.cluster.value[:r.cluster.value_size].decode("utf-8")
        names.append((cluster, r.replica.value[:r.replica.value_size].decode("utf-8")))
    found = {}
    if names:
        for i in range(w.plan.record_count):
            number = w.plan.records[i].slot // w.partitions
            if number:
                found[i] = names[number - 1]
    return found


cdef list shown_examples(Walk* w):
    cdef uint32_t i
    cdef Example* example
    cdef Cursor family
    examples = []
    for i in range(w.refusals.example_count):
        example = &w.refusals.examples[i]
        if example.is_metadata:
            check_metadata(example.entry, &family)
            shown = shortened(f'{{__name__="{shown_text(family.p, family.end - family.p)}"}}')
        else:
            shown = shown_references(&w.symbols, example.entry) if w.symbols.count else shown_series(example.entry)
        timestamp = example.timestamp if example.has_timestamp else None
        examples.append(Rejection(REASONS[example.reason - 1], shown, timestamp))
    return examples


cdef object error_of(int result, const Walk* w, size_t size):
    """What is raised where a walk ended early."""
    if result == NO_MEMORY:
        return MemoryError()
    if result == TOO_LARGE:
        limits = f"repeated_bytes={w.repeated} limit={w.max_repeated_bytes}"
        return BodyTooLarge(f"write request too large as records: bytes={size} {limits}")
    if result == NO_SYMBOLS:
        return InvalidData(f"no symbol table: its first symbol must be the empty string (symbols={w.symbols.count})")
    if result == OTHER_PROTOCOL:
        return InvalidData(
            f"not the message that the headers name: offset={w.at - w.body} bytes={size}",
            hint="remote-write 1.0 and 2.0 are told apart by proto= in the Content-Type",
        )
    return InvalidData(f"malformed write request: offset={w.at - w.body} bytes={size}")


cdef dict by_reason(const uint64_t* counts):
    return {reason: counts[i + 1] for i, reason in enumerate(REASONS) if counts[i + 1]}


cdef uint64_t shadow_mask(reasons) except? 0:
    cdef uint64_t mask = 0
    for reason in reasons:
        if reason not in LIMIT_REASONS:
            raise ValueError(f"no reason of a limit: shadow={reason!r}")
        mask |= <uint64_t>1 << (REASONS.index(reason) + 1)
    return mask


cdef int check_shard(const int32_t[::1] shard, int32_t partitions) except -1:
    cdef Py_ssize_t i
    if not 1 <= shard.shape[0] <= partitions:
        raise ValueError(f"no shard of {partitions} partitions: size={shard.shape[0]}")
    for i in range(shard.shape[0]):
        if not 0 <= shard[i] < partitions:
            raise ValueError(f"no shard of {partitions} partitions: partition={shard[i]}")
    return 0


cdef class Router:
    cdef int32_t partitions
    cdef uint32_t max_record_bytes
    cdef uint32_t label_room
    cdef uint32_t max_examples
    cdef Limits limits
    cdef uint64_t shadow
    cdef uint64_t shadow_samples
    cdef uint64_t shadow_exemplars
    cdef uint64_t max_repeated_bytes
    cdef bytes cluster_label
    cdef bytes replica_label
    cdef RelabelRules relabel

    def __init__(
        self,
        partitions,
        *,
        max_record_bytes=900 * 1024,
        max_label_pairs=0,
        max_label_name_bytes=0,
        max_label_value_bytes=0,
        max_series_per_request=0,
        max_samples_per_request=0,
        max_exemplars_per_request=0,
        max_histogram_buckets=0,
        shadow=(),
        max_examples=10,
        max_repeated_bytes=32 << 20,
        cluster_label="",
        replica_label="",
        RelabelRules relabel=None,
    ):
        for name, value, least, most in (
            ("partitions", partitions, 1, PLACE_MASK // (MAX_REPLICAS + 1)),
            ("max_record_bytes", max_record_bytes, 64, 1 << 30),
            ("max_label_pairs", max_label_pairs, 0, MAX_LABEL_PAIRS),
            ("max_label_name_bytes", max_label_name_bytes, 0, _LARGEST),
            ("max_label_value_bytes", max_label_value_bytes, 0, _LARGEST),
            ("max_series_per_request", max_series_per_request, 0, _LARGEST),
            ("max_samples_per_request", max_samples_per_request, 0, _LARGEST),
            ("max_exemplars_per_request", max_exemplars_per_request, 0, _LARGEST),
            ("max_histogram_buckets", max_histogram_buckets, 0, _LARGEST),
            ("max_examples", max_examples, 0, MAX_EXAMPLES),
            ("max_repeated_bytes", max_repeated_bytes, 0, MAX_BODY_BYTES),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most} (got {value})")
        self.partitions = partitions
        self.max_record_bytes = max_record_bytes
        self.shadow = shadow_mask(shadow)
        self.label_room = max_label_pairs or MAX_LABEL_PAIRS
        self.limits.label_pairs = self.label_room
        if self.shadow >> TOO_MANY_LABELS & 1:
            self.label_room = MAX_LABEL_PAIRS
        self.limits.name_bytes = limit32(max_label_name_bytes)
        self.limits.value_bytes = limit32(max_label_value_bytes)
        self.limits.series = limit64(max_series_per_request)
        self.limits.samples = limit64(max_samples_per_request)
        self.limits.exemplars = limit64(max_exemplars_per_request)
        self.limits.buckets = limit64(max_histogram_buckets)
        self.shadow_samples = self.shadow_exemplars = <uint64_t>-1
        if self.shadow >> TOO_MANY_SAMPLES & 1:
            self.shadow_samples, self.limits.samples = self.limits.samples, self.shadow_samples
        if self.shadow >> TOO_MANY_EXEMPLARS & 1:
            self.shadow_exemplars, self.limits.exemplars = self.limits.exemplars, self.shadow_exemplars
        self.max_examples = max_examples
        self.max_repeated_bytes = max_repeated_bytes
        self.cluster_label = cluster_label.encode()
        self.replica_label = replica_label.encode()
        self.relabel = relabel if relabel is not None and len(relabel) else None
        if bool(cluster_label) != bool(replica_label) or (replica_label and replica_label in (cluster_label, "__name__")):
            named = f"cluster_label={cluster_label!r} replica_label={replica_label!r}"
            raise ValueError(f"no labels of a replica: {named}")

    def route(
        self,
        const uint8_t[::1] body not None,
        uint32_t seed,
        int64_t min_time,
        int64_t max_time,
        *,
        int message=1,
        bint name_replicas=False,
        const int32_t[::1] shard=None,
        outer_min_time=None,
        outer_max_time=None,
        SeriesSet active=None,
        WrittenLabels written=None,
        int64_t log_now=0,
        bint leave_out=True,
    ):
        cdef Walk w
        cdef Relabeler relabeler
        cdef Cursor c
        cdef LabelNotes notes = None
        cdef int result
        cdef size_t size = body.shape[0]
        if message != 1 and message != 2:
            raise ValueError(f"no such message: message={message}")
        if size == 0:
            return Routed([], 0, 0, 0, 0, 0, {}, [], {}, 0)
        if size > _MAX_BODY_BYTES:
            raise InvalidData(f"write request too large: bytes={size} limit={MAX_BODY_BYTES}")
        memset(&w, 0, sizeof(Walk))
        w.body = &body[0]
        w.seed = seed
        w.partitions = self.partitions
        if shard is not None:
            check_shard(shard, self.partitions)
            w.shard = &shard[0]
            w.shard_size = <int32_t>shard.shape[0]
        w.max_record_bytes = self.max_record_bytes
        w.max_label_pairs = self.label_room
        w.labels.room = self.label_room
        w.limits = self.limits
        w.limits.outer_min_time = min_time if outer_min_time is None else outer_min_time
        w.limits.outer_max_time = max_time if outer_max_time is None else outer_max_time
        w.refusals.shadow = self.shadow
        w.shadow_samples = self.shadow_samples
        w.shadow_exemplars = self.shadow_exemplars
        if active is not None:
            w.active = &active.active
        if written is not None:
            if written.written.partitions != self.partitions:
                raise ValueError(f"labels of another log: partitions={written.partitions} wanted={self.partitions}")
            notes = LabelNotes(written)
            w.written = &written.written
            w.leave_out = leave_out
            w.log_now = log_now
            w.notes = &notes.notes
        w.max_repeated_bytes = self.max_repeated_bytes
        w.min_time = min_time
        w.max_time = max_time
        w.refusals.max_examples = self.max_examples
        if name_replicas:
            w.replicas.cluster_label = self.cluster_label
            w.replicas.cluster_label_size = <uint32_t>len(self.cluster_label)
            w.replicas.replica_label = self.replica_label
            w.replicas.replica_label_size = <uint32_t>len(self.replica_label)
        c.p = w.body
        c.end = w.body + size
        try:
            if self.relabel is not None:
                w.labels.room = MAX_BUILT  # rules may take labels off
                w.relabeler = &relabeler
                self.relabel.begin(w.relabeler)
            with nogil:
                result = walk_request(&w, c, message == 2)
            if result < 0:
                raise error_of(result, &w, size)
            return Routed(
                write_records(&w),
                w.accepted[LABELS],
                w.accepted[SAMPLES],
                w.accepted[HISTOGRAMS],
                w.accepted[EXEMPLARS],
                w.metadata,
                by_reason(w.refusals.counts),
                shown_examples(&w),
                named_replicas(&w),
                w.replicas.unnamed,
                w.dropped[SAMPLES] + w.dropped[HISTOGRAMS],
                w.dropped[HISTOGRAMS],
                w.dropped[EXEMPLARS],
                by_reason(w.refusals.shadowed),
                labels=notes,
            )
        finally:
            if w.relabeler != NULL:
                self.relabel.end(w.relabeler)
            plan_free(&w.plan)
            columns_free(&w.columns)
            free(w.labels.pairs)
            free(w.symbols.found)
            known_free(&w.pairs)
            free(w.known.known)
            free(w.spare)
            free(w.noted)
            free(w.replicas.found)
