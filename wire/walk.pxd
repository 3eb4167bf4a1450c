"""One walk over a write request: what it knows, what it has found, and where a series goes that is fit to be written."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from wire.columns cimport Columns
from wire.known_pairs cimport KnownPairs
from wire.label_set cimport LabelSet
from wire.limits cimport Limits
from wire.metadata_set cimport MetadataSet
from wire.murmur3 cimport jump_hash, jump_hashes, murmur3_x64_128
from wire.plan cimport IS_METADATA, Plan, entry_bytes, plan_add_key
from wire.refusals cimport Refusals, TOO_MANY_SERIES, overlook
from wire.relabel cimport Relabeler
from wire.replicas cimport Replicas
from wire.series_set cimport ActiveSeries
from wire.symbols cimport Symbols
from wire.unrouted cimport Unrouted, UnroutedSeries, MAX_UNROUTED, add_unrouted, hash_all, hash_unrouted
from wire.written_labels cimport Notes, Written

cdef enum:
    # Fields of a TimeSeries, in a record as in remote-write 1.0.
    LABELS = 1
    SAMPLES = 2
    EXEMPLARS = 3
    HISTOGRAMS = 4
    # What a step of the walk may return besides 0 and reasons.
    MALFORMED = -1
    NO_MEMORY = -2
    TOO_LARGE = -3
    NO_SYMBOLS = -4
    OTHER_PROTOCOL = -5

cdef struct NotedSeries:
    uint64_t hash
    uint32_t offset          # of its entry in the body
    uint32_t size
    # Of the request up to it and with it:
    uint32_t entries         # in the plan; with the highest bit, it was refused
    uint32_t samples
    uint32_t histograms
    uint32_t exemplars

cdef struct Walk:
    const uint8_t* body
    const uint8_t* at        # where a malformed body could not be read on
    uint32_t seed
    int32_t partitions
    const int32_t* shard     # the partitions to route over
    int32_t shard_size       # 0: over all of them
    uint32_t max_record_bytes
    int64_t min_time
    int64_t max_time
    uint64_t max_repeated_bytes
    uint64_t repeated        # bytes written again though they stand in the body once
    uint32_t max_label_pairs # after rules; what `labels` has room for, before them
    Relabeler* relabeler     # NULL without rules
    Limits limits
    uint64_t shadow_samples    # limits of samples and exemplars that only count
    uint64_t shadow_exemplars
    LabelSet labels          # of the series at hand
    Symbols symbols          # of a remote-write 2.0 request
    KnownPairs pairs         # so are these
    uint64_t time_word       # the last bytes of a sample that was found to be in time, and how many
    size_t time_size
    MetadataSet known        # so is this
    uint8_t* spare           # where an exemplar is put together
    size_t spare_room
    uint64_t at_hand         # its samples, or 1 where it has only exemplars
    Unrouted unrouted
    ActiveSeries* active     # NULL: any number of series may be
    NotedSeries* noted       # accepted series, where that is to be known
    size_t noted_count
    size_t noted_room
    uint64_t accepted[5]     # by field of TimeSeries; at LABELS the series themselves
    uint64_t dropped[5]      # by rules, by field of TimeSeries
    uint64_t metadata
    Plan plan
    Refusals refusals
    Replicas replicas
    Written* written         # whose labels may be left out; NULL: nobody's
    bint leave_out           # else all are written, and noted
    int64_t log_now          # by the log's time
    Notes* notes
    Columns columns

cdef inline uint32_t partition_of(const Walk* w, uint64_t key) noexcept nogil:
    if w.shard_size:
        return <uint32_t>w.shard[jump_hash(key, w.shard_size)]
    return <uint32_t>jump_hash(key, w.partitions)

cdef inline uint64_t hash_of(const Walk* w, const uint8_t* data, size_t size) noexcept nogil:
    return murmur3_x64_128(data, size, w.seed).low

cdef inline int admit_series(Walk* w, const uint8_t* run, size_t size, int replica) noexcept nogil:
    """0, or a reason to refuse the series whose canonical labels these are; they stay where they are for a while.

    Every entry that may be written goes through here once, whatever protocol it came by, and the plan's next entries are
    its own; `replica` is its number.
    """
    if w.accepted[LABELS] >= w.limits.series and w.at_hand and not overlook(&w.refusals, TOO_MANY_SERIES, w.at_hand):
        return TOO_MANY_SERIES
    add_unrouted(&w.unrouted, &w.plan, run, size, <uint32_t>replica)
    return 0

cdef inline int note_elements(Walk* w, size_t elements, size_t end) noexcept nogil:
    """Says where the elements of the entry that was planned last stand, where that is to be known; 0 or NO_MEMORY."""
    if w.written != NULL and plan_add_key(&w.plan, elements, end - elements) < 0:
        return NO_MEMORY
    return 0

cdef inline void hash_admitted(Walk* w) noexcept nogil:
    """Hashes the labels of the series that was admitted last: they may go."""
    hash_unrouted(&w.unrouted.series[w.unrouted.count - 1], &w.plan, w.seed)

cdef inline void forget_admitted(Walk* w) noexcept nogil:
    """The series that was admitted last came to have no entries."""
    w.unrouted.count -= 1

cdef inline void route_admitted(Walk* w) noexcept nogil:
    """Gives the entries of all series that were admitted their slots, and those that were noted their hashes."""
    cdef Unrouted* u = &w.unrouted
    cdef UnroutedSeries* series
    cdef uint64_t keys[MAX_UNROUTED]
    cdef int32_t found[MAX_UNROUTED]
    cdef uint32_t slot
    cdef size_t i, entry, end
    hash_all(u, &w.plan, w.seed)
    for i in range(u.count):
        keys[i] = u.series[i].hash.low
    jump_hashes(keys, found, u.count, w.shard_size if w.shard_size else w.partitions)
    for i in range(u.count):
        series = &u.series[i]
        slot = series.replica * w.partitions + <uint32_t>(w.shard[found[i]] if w.shard_size else found[i])
        end = u.series[i + 1].first if i + 1 < u.count else w.plan.count
        for entry in range(series.first, end):
            if not w.plan.entries[entry].place & IS_METADATA:
                w.plan.entries[entry].place |= slot
                if w.written != NULL:
                    w.plan.keys[entry].low = series.hash.low
                    w.plan.keys[entry].high = series.hash.high
        if w.active != NULL:
            w.noted[w.noted_count - u.count + i].hash = series.hash.low
    u.count = 0

cdef inline int count_repeated(Walk* w, uint64_t size) noexcept nogil:
    """What a few bytes may ask for is bounded: TOO_LARGE beyond it."""
    w.repeated += size
    return TOO_LARGE if w.repeated > w.max_repeated_bytes else 0

cdef inline bint too_large(const Walk* w, uint64_t labels, uint64_t entry) noexcept nogil:
    """Larger labels are not repeated, so that splitting adds little: two entries in a row hold 7/8 of a record besides."""
    return labels > w.max_record_bytes // 8 and entry_bytes(entry) > w.max_record_bytes
