"""A remote-write 2.0 series as nearly all are: its labels sorted, its samples good, in the order that senders write in.

Read once, and written into scratch on the way. Whatever is not as usual is left to series_walk_v2.pxd, which does all of
it again: nothing is counted or kept before it is sure that the series is stored.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from wire.cursor cimport Cursor
from wire.elements cimport check_sample
from wire.known_pairs cimport REPLICA, WIDE, KnownLabels, known_told, write_known_labels
from wire.metadata_set cimport Metadata, name_family, read_metadata, says_something
from wire.plan cimport IN_SCRATCH, Plan, plan_add, plan_reserve
from wire.replicas cimport Replica, replica_number
from wire.symbols cimport Symbols, symbol_pair, symbol_text
from wire.walk cimport (
    HISTOGRAMS, LABELS, NO_MEMORY, SAMPLES, TOO_LARGE, Walk, admit_series, count_repeated, note_elements
)

cdef enum:
    NOT_PLAIN = 1
    MAX_PLAIN_LABELS = 8192   # bytes of them
    REFERENCES_TAG = 0x0A
    SAMPLE_TAG = 0x12         # in a record as in the request
    METADATA_TAG = 0x2A
    # Of a sample:
    VALUE_TAG = 0x09
    TIMESTAMP_TAG = 0x10

cdef inline bint _read_head(Cursor* c, uint8_t tag, Cursor* out) noexcept nogil:
    """A field with this tag, whose length takes a byte or two."""
    cdef uint64_t size
    if c.end - c.p < 3 or c.p[0] != tag:
        return False
    size = c.p[1]
    out.p = c.p + 2
    if size >= 0x80:
        size = (size & 0x7F) | <uint64_t>c.p[2] << 7
        out.p = c.p + 3
        if c.p[2] >= 0x80:
            return False
    if size > <uint64_t>(c.end - out.p):
        return False
    out.end = out.p + size
    c.p = out.end
    return True

cdef inline bint _is_in_time(Walk* w, Cursor sample) noexcept nogil:
    """Whether it is one that can be stored. Most samples of a request have one time: it is looked at once."""
    cdef int64_t timestamp
    cdef uint64_t word
    cdef size_t size = sample.end - sample.p - 10
    if sample.end - sample.p >= 11 and size <= 8 and sample.p[0] == VALUE_TAG and sample.p[9] == TIMESTAMP_TAG:
        memcpy(&word, sample.end - 8, 8)
        word >>= 64 - 8 * size
        if word == w.time_word and size == w.time_size:
            return True
        if check_sample(sample, &timestamp) < 0 or timestamp < w.min_time or timestamp > w.max_time:
            return False
        w.time_word = word
        w.time_size = size
        return True
    return check_sample(sample, &timestamp) == 0 and w.min_time <= timestamp <= w.max_time

cdef inline uint64_t told_word(Cursor said) noexcept nogil:
    """What metadata says, where that is short enough to remember; else 0."""
    cdef uint64_t word = 0
    cdef size_t size = said.end - said.p
    if size == 0 or size > 7:
        return 0
    memcpy(&word, said.p, size)
    return word | <uint64_t>size << 56

cdef inline int _replica_of(Walk* w, const KnownLabels* labels) noexcept nogil:
    """Its number; 0 where there is none, -1 without memory."""
    cdef Replica replica
    if not labels.kinds & REPLICA:
        return 0
    # Only the values count.
    replica.cluster = symbol_pair(&w.symbols, &w.symbols.found[0], &w.symbols.found[labels.cluster])
    replica.replica = symbol_pair(&w.symbols, &w.symbols.found[0], &w.symbols.found[labels.replica])
    return replica_number(&w.replicas, &replica)

cdef inline int _store(Walk* w, const KnownLabels* labels, Cursor samples, uint64_t count) noexcept nogil:
    """Of labels that stand behind the end of scratch, where there is room for the samples; 0 or an error."""
    cdef Plan* plan = &w.plan
    cdef uint8_t* run = plan.scratch + plan.scratch_size
    cdef size_t size = labels.size + (samples.end - samples.p)
    cdef int replica = _replica_of(w, labels)
    if replica < 0:
        return NO_MEMORY
    if count_repeated(w, labels.bytes) < 0:
        return TOO_LARGE
    admit_series(w, run, labels.size, replica)  # there is room for one more
    memcpy(run + labels.size, samples.p, samples.end - samples.p)
    if plan_add(plan, plan.scratch_size, size, IN_SCRATCH) < 0:
        return NO_MEMORY
    if note_elements(w, plan.scratch_size + labels.size, plan.scratch_size + size) < 0:
        return NO_MEMORY
    plan.scratch_size += size
    w.accepted[LABELS] += 1
    w.accepted[SAMPLES] += count
    return 0

cdef inline int _read_said(Walk* w, Cursor said, uint32_t metric, Metadata* m) noexcept nogil:
    """-1 where it is malformed; `m` is of no family where it says nothing, or was dealt with before."""
    cdef const Symbols* s = &w.symbols
    cdef uint64_t* told = known_told(&w.pairs, metric)
    if said.p == said.end or (told[0] and told[0] == told_word(said)):
        return 0
    memset(m, 0, sizeof(Metadata))
    if read_metadata(said, m) < 0:
        return -1
    if says_something(m):
        name_family(m, symbol_text(s, &s.found[metric]), s.found[metric].size)
        if m.help < s.count and m.unit < s.count:
            told[0] = told_word(said)
    return 0

cdef inline int route_plain_series_v2(Walk* w, Cursor entry, Metadata* m) noexcept nogil:
    """0, an error, or NOT_PLAIN. What `m` comes to say, which begins with no family, is yet to be dealt with."""
    cdef Cursor c = entry
    cdef Cursor packed, samples, sample, said
    cdef KnownLabels labels
    cdef uint64_t count = 0
    cdef uint8_t* run
    cdef size_t size
    if not _read_head(&c, REFERENCES_TAG, &packed) or c.end - c.p < 6:
        return NOT_PLAIN
    samples.p = c.p
    while _read_head(&c, SAMPLE_TAG, &sample):
        if not _is_in_time(w, sample):
            return NOT_PLAIN
        count += 1
    samples.end = c.p
    said.p = c.p
    said.end = c.p
    if c.p != c.end and (not _read_head(&c, METADATA_TAG, &said) or c.p != c.end):
        return NOT_PLAIN
    size = entry.end - entry.p
    if count == 0 or size + MAX_PLAIN_LABELS + 8 > w.max_record_bytes or w.accepted[LABELS] >= w.limits.series:
        return NOT_PLAIN
    if w.accepted[SAMPLES] + w.accepted[HISTOGRAMS] + count > w.limits.samples:
        return NOT_PLAIN
    if plan_reserve(&w.plan, MAX_PLAIN_LABELS + WIDE + size) < 0:
        return NO_MEMORY
    run = w.plan.scratch + w.plan.scratch_size
    if not write_known_labels(
        &w.pairs, &w.symbols, &w.limits, &w.replicas, packed, run, MAX_PLAIN_LABELS, &labels
    ):
        return NOT_PLAIN
    if labels.count > w.limits.label_pairs or _read_said(w, said, labels.metric, m) < 0:
        return NOT_PLAIN
    return _store(w, &labels, samples, count)
