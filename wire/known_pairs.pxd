"""Label pairs of a remote-write 2.0 request, each checked and written out once, however many of its series have it.

Nearly every value goes with one name, and that name stands behind one other. So what is known of a pair has its place by
the value's reference; a pair that is not there is looked at again, which takes time and changes nothing.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from wire.canonical cimport (
    LabelPair, SHORT_LABEL, SHORT_LABEL_OVERHEAD, compare_bytes, is_metric_name, labels_size, write_labels,
    write_short_labels
)
from wire.cursor cimport Cursor
from wire.limits cimport Limits
from wire.plan cimport _grown
from wire.replicas cimport MAX_REPLICA_BYTES, Replicas, _is_label
from wire.symbols cimport Symbol, Symbols, is_text, symbol_pair, symbol_text

cdef enum:
    MAX_PLACES = 65536     # a power of two
    MAX_KNOWN = 1024       # bytes of a label field; a larger one is not written here
    WIDE = 32              # bytes that are copied at least, so that nothing has to be chosen for most labels
    # Kinds of labels.
    METRIC = 1
    REPLICA = 2
    CLUSTER = 4

cdef struct KnownPair:
    uint64_t pair          # references of value and name, or all ones
    uint32_t before        # the name that this one was found to stand behind; 0 where it came first
    uint32_t written       # where its label field begins
    uint16_t size          # of that
    uint8_t overhead       # bytes of that which are neither name nor value
    uint8_t kind
    uint64_t told          # metadata that came with this value of __name__ and is dealt with, if it is short

cdef struct KnownPairs:
    # Begins zeroed.
    KnownPair* places
    uint32_t mask          # of references
    uint8_t* written
    size_t written_size
    size_t written_room

cdef struct KnownLabels:
    # The labels of one series, as they were written out.
    uint32_t size
    uint32_t count         # with its replica's
    uint64_t bytes         # of names and values, with its replica's
    uint32_t kinds
    # References to the values of these labels, where there are such labels:
    uint32_t metric
    uint32_t replica       # not written
    uint32_t cluster

cdef inline int known_begin(KnownPairs* k, size_t symbols) noexcept nogil:
    """For a table of so many symbols; -1 without memory."""
    cdef size_t places = 64
    while places < symbols and places < MAX_PLACES:
        places *= 2
    k.places = <KnownPair*>malloc(places * sizeof(KnownPair))
    if k.places == NULL:
        return -1
    memset(k.places, 0xFF, places * sizeof(KnownPair))
    k.mask = <uint32_t>(places - 1)
    return 0

cdef inline void known_free(KnownPairs* k) noexcept nogil:
    free(k.places)
    free(k.written)

cdef inline uint64_t* known_told(KnownPairs* k, uint32_t metric) noexcept nogil:
    """Of a name that a series was just found to have."""
    return &k.places[metric & k.mask].told

cdef inline uint8_t _kind_of(const LabelPair* pair, const Replicas* replicas) noexcept nogil:
    if is_metric_name(pair.name, pair.name_size):
        return METRIC
    if replicas.replica_label_size == 0:
        return 0
    if _is_label(pair, replicas.replica_label, replicas.replica_label_size):
        return REPLICA
    return CLUSTER if _is_label(pair, replicas.cluster_label, replicas.cluster_label_size) else 0

cdef inline bint _write_pair(KnownPairs* k, KnownPair* known, const LabelPair* pair) noexcept nogil:
    cdef uint64_t texts = <uint64_t>pair.name_size + pair.value_size
    cdef bint is_short = texts <= SHORT_LABEL
    cdef uint64_t size = texts + SHORT_LABEL_OVERHEAD if is_short else labels_size(pair, 1)
    cdef void* written
    if size > MAX_KNOWN or k.written_size + size > <uint32_t>-1:
        return False
    written = _grown(k.written, &k.written_room, k.written_size + size + WIDE, 1)
    if written == NULL:
        return False
    k.written = <uint8_t*>written
    if is_short:
        write_short_labels(k.written + k.written_size, pair, 1)
    else:
        write_labels(k.written + k.written_size, pair, 1)
    known.written = <uint32_t>k.written_size
    known.size = <uint16_t>size
    known.overhead = <uint8_t>(size - texts)
    k.written_size += size
    return True

cdef inline bint _learn_pair(
    KnownPairs* k, const Symbols* s, const Limits* limits, const Replicas* replicas, uint32_t name, uint32_t value
) noexcept nogil:
    """False where the pair needs a closer look, or there is no memory for it."""
    cdef KnownPair* known = &k.places[value & k.mask]
    cdef const Symbol* named = &s.found[name]
    cdef const Symbol* valued = &s.found[value]
    cdef LabelPair pair
    cdef uint8_t kind
    if not (is_text(named) and is_text(valued) and named.size and valued.size):
        return False
    if named.size > limits.name_bytes or valued.size > limits.value_bytes:
        return False
    pair = symbol_pair(s, named, valued)
    kind = _kind_of(&pair, replicas)
    if kind & (REPLICA | CLUSTER) and valued.size > MAX_REPLICA_BYTES:
        return False
    if not _write_pair(k, known, &pair):
        return False
    if known.pair >> 32 != value:
        known.told = 0
    known.pair = <uint64_t>value << 32 | name
    known.kind = kind
    return True

cdef inline bint _follows(const Symbols* s, uint32_t before, uint32_t name) noexcept nogil:
    cdef const Symbol* left = &s.found[before]
    cdef const Symbol* right = &s.found[name]
    cdef const uint8_t* first = symbol_text(s, left)
    cdef const uint8_t* second = symbol_text(s, right)
    if right.size and first[0] != second[0]:  # mostly the first bytes decide
        return first[0] < second[0]
    return compare_bytes(first, left.size, second, right.size) < 0

cdef inline bint _know_pair(
    KnownPairs* k,
    const Symbols* s,
    const Limits* limits,
    const Replicas* replicas,
    uint32_t before,
    uint32_t name,
    uint32_t value,
) noexcept nogil:
    """Whether the pair may stand behind the name `before`; what there is to know of it is then in its place."""
    cdef KnownPair* known = &k.places[value & k.mask]
    if name >= s.count or (before and not _follows(s, before, name)):
        return False
    if known.pair != (<uint64_t>value << 32 | name) and not _learn_pair(k, s, limits, replicas, name, value):
        return False
    known.before = before
    return True

cdef inline void _copy_wide(uint8_t* to, const uint8_t* data, uint32_t size) noexcept nogil:
    """`size` bytes, and up to WIDE behind them that do not count; `data` can be read as far, too."""
    cdef uint32_t i = WIDE
    memcpy(to, data, 16)
    memcpy(to + 16, data + 16, 16)
    while i < size:
        memcpy(to + i, data + i, 16)
        i += 16

cdef inline bint _short_reference(const uint8_t** p, uint32_t* out) noexcept nogil:
    """A varint of one to three bytes, all of which can be read; False where it is longer."""
    cdef uint32_t ref = p[0][0]
    cdef uint32_t more
    if ref < 0x80:
        p[0] += 1
        out[0] = ref
        return True
    more = p[0][1]
    ref = (ref & 0x7F) | more << 7
    if more < 0x80:
        p[0] += 2
        out[0] = ref
        return True
    more = p[0][2]
    p[0] += 3
    out[0] = (ref & 0x3FFF) | more << 14
    return more < 0x80

cdef inline bint write_known_labels(
    KnownPairs* k,
    const Symbols* s,
    const Limits* limits,
    const Replicas* replicas,
    Cursor packed,
    uint8_t* to,
    uint32_t room,
    KnownLabels* out,
) noexcept nogil:
    """Writes the labels that are referred to, where they are a set that is sorted; False where that is not sure.

    Six bytes behind `packed` can be read, and WIDE more than `room` bytes may be written. A replica's label is left out.
    """
    cdef const uint8_t* p = packed.p
    cdef uint8_t* at = to
    cdef uint32_t before = 0
    cdef uint32_t name, value
    cdef const KnownPair* known
    out.count = 0
    out.bytes = 0
    out.kinds = 0
    while p < packed.end:
        if not _short_reference(&p, &name) or not _short_reference(&p, &value) or value >= s.count:
            return False
        known = &k.places[value & k.mask]
        if known.pair != (<uint64_t>value << 32 | name) or known.before != before:
            if not _know_pair(k, s, limits, replicas, before, name, value):
                return False
        before = name
        out.bytes += known.size - known.overhead
        out.count += 1
        if known.kind:
            out.kinds |= known.kind
            if known.kind == METRIC:
                out.metric = value
            elif known.kind == CLUSTER:
                out.cluster = value
            else:
                out.replica = value
                continue
        if known.size > room:
            return False
        room -= known.size
        _copy_wide(at, k.written + known.written, known.size)
        at += known.size
    out.size = <uint32_t>(at - to)
    return p == packed.end and out.kinds & METRIC and (not out.kinds & REPLICA or out.kinds & CLUSTER)
