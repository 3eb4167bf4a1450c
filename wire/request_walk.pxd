"""The walk over a whole write request, of either protocol; what becomes of one series is in series_walk.pxd and beside it."""

from libc.stdint cimport uint32_t, uint64_t

from wire.active_check cimport check_active, note_series
from wire.columns cimport columns_note, plan_columns
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field
from wire.elements cimport check_metadata
from wire.known_pairs cimport known_begin
from wire.leave_out cimport leave_labels_out
from wire.plan cimport IS_METADATA, entry_bytes, plan_add, plan_records
from wire.refusals cimport (
    INVALID_UTF8, METADATA_TOO_LARGE, MISSING_NAME, TOO_MANY_EXEMPLARS, TOO_MANY_SAMPLES, overlook, refuse
)
from wire.series_walk cimport route_series
from wire.series_walk_v2 cimport route_series_v2
from wire.symbols cimport add_symbol
from wire.unrouted cimport MAX_UNROUTED
from wire.walk cimport (
    EXEMPLARS, HISTOGRAMS, MALFORMED, NO_MEMORY, NO_SYMBOLS, OTHER_PROTOCOL, SAMPLES, Walk, hash_of, partition_of,
    route_admitted
)

cdef enum:
    # Fields of a request. The two protocols share none, so that neither can be taken for the other.
    SERIES = 1
    METADATA = 3
    SYMBOLS_V2 = 4
    SERIES_V2 = 5

cdef inline int route_metadata(Walk* w, Cursor entry) noexcept nogil:
    cdef Cursor family
    cdef int reason = check_metadata(entry, &family)
    cdef uint32_t partition
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
    partition = partition_of(w, hash_of(w, family.p, family.end - family.p))
    if plan_add(&w.plan, entry.p - w.body, size, partition | IS_METADATA) < 0:
        return NO_MEMORY
    return 0

cdef inline int end_series(Walk* w, Cursor entry) noexcept nogil:
    """After each series; 0 or NO_MEMORY."""
    cdef int result = note_series(w, entry)
    if w.unrouted.count == MAX_UNROUTED:
        route_admitted(w)
    return result

cdef inline int _walk_v1(Walk* w, Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef Cursor entry
    cdef int result
    while c.p < c.end:
        w.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field == SYMBOLS_V2 or field == SERIES_V2:
            return OTHER_PROTOCOL
        if field != SERIES and field != METADATA:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &entry) < 0:
            return MALFORMED
        result = route_series(w, entry) if field == SERIES else route_metadata(w, entry)
        if result == 0:
            result = end_series(w, entry)
        if result < 0:
            return result
    return 0

cdef inline int _read_symbols(Walk* w, Cursor c) noexcept nogil:
    """All of the table, wherever it stands: series are free to come first."""
    cdef uint32_t field, wire_type
    cdef Cursor text
    cdef bint needed = False
    w.symbols.body = w.body
    while c.p < c.end:
        w.at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field <= METADATA:
            return OTHER_PROTOCOL
        if field != SYMBOLS_V2:
            needed = needed or field == SERIES_V2
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &text) < 0:
            return MALFORMED
        if add_symbol(&w.symbols, text) < 0:
            return NO_MEMORY
    if w.symbols.count == 0:
        return NO_SYMBOLS if needed else 0
    if w.symbols.found[0].size:
        return NO_SYMBOLS
    return NO_MEMORY if known_begin(&w.pairs, w.symbols.count) < 0 else 0

cdef inline int _walk_v2(Walk* w, Cursor c) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef Cursor entry
    cdef int result = _read_symbols(w, c)
    while result == 0 and c.p < c.end:
        w.at = c.p
        read_tag(&c, &field, &wire_type)
        if field != SERIES_V2:
            skip_field(&c, wire_type)
        elif wire_type != WIRE_BYTES or read_bytes(&c, &entry) < 0:
            result = MALFORMED
        else:
            result = route_series_v2(w, entry)
            if result == 0:
                result = end_series(w, entry)
    return result

cdef inline void _count_shadowed(Walk* w) noexcept nogil:
    """What is beyond limits of the request that only count: these are no limits of the walk itself."""
    cdef uint64_t samples = w.accepted[SAMPLES] + w.accepted[HISTOGRAMS]
    if samples > w.shadow_samples:
        overlook(&w.refusals, TOO_MANY_SAMPLES, samples - w.shadow_samples)
    if w.accepted[EXEMPLARS] > w.shadow_exemplars:
        overlook(&w.refusals, TOO_MANY_EXEMPLARS, w.accepted[EXEMPLARS] - w.shadow_exemplars)

cdef inline int walk_request(Walk* w, Cursor c, bint v2) noexcept nogil:
    """The whole request, then its plan of records; 0, or why there is none, below 0."""
    cdef int result = _walk_v2(w, c) if v2 else _walk_v1(w, c)
    if result < 0:
        return result
    route_admitted(w)
    _count_shadowed(w)
    check_active(w)
    # The records of each replica are its own: it has a slot in each partition.
    cdef uint32_t slots = w.partitions * (w.replicas.count + 1)
    if w.written != NULL:
        if (
            leave_labels_out(w) < 0
            or plan_columns(&w.plan, &w.columns, slots, w.max_record_bytes, w.written.window) < 0
            or columns_note(&w.plan, &w.columns, w.partitions, w.notes) < 0
        ):
            return NO_MEMORY
        return 0
    return NO_MEMORY if plan_records(&w.plan, slots, w.max_record_bytes) < 0 else 0
