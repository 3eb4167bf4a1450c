"""HA pairs: which replica of which cluster a series came from, and the label that says so and must go.

A series names its replica if it has both labels, with at most MAX_REPLICA_BYTES each. Without a cluster label two pairs
could not be told apart, and all but one of their replicas would be lost: such a series is left as it is.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcmp

from wire.canonical cimport LabelPair, _read_canonical_label
from wire.cursor cimport Cursor

cdef enum:
    MAX_REPLICA_BYTES = 256
    MAX_REPLICAS = 256     # of one request: each makes records of its own

cdef struct Replica:
    LabelPair cluster      # only their values count; in the request's body
    LabelPair replica
    Cursor field           # the replica's label field in a canonical run
    uint32_t index         # of its pair, where the set is in pairs

cdef struct Replicas:
    # Begins zeroed. `found` is the caller's to free.
    const uint8_t* cluster_label
    const uint8_t* replica_label
    uint32_t cluster_label_size
    uint32_t replica_label_size   # 0: replicas are not looked for
    Replica* found
    uint32_t count
    uint32_t last                 # index of the one found last
    uint64_t unnamed              # series whose replica is beyond MAX_REPLICAS

cdef inline bint _is_label(const LabelPair* pair, const uint8_t* name, uint32_t size) noexcept nogil:
    return pair.name_size == size and memcmp(pair.name, name, size) == 0

cdef inline bint _is_short(const LabelPair* pair) noexcept nogil:
    return pair.value_size <= MAX_REPLICA_BYTES

cdef inline bint replica_in_run(const Replicas* r, Cursor run, Replica* out) noexcept nogil:
    """Whether these canonical labels name one."""
    cdef LabelPair pair
    cdef const uint8_t* start
    cdef uint32_t named = 0
    while run.p < run.end and named < 2:
        start = run.p
        if _read_canonical_label(&run, &pair) < 0:
            return False
        if _is_label(&pair, r.replica_label, r.replica_label_size):
            out.replica = pair
            out.field.p = start
            out.field.end = run.p
            named += 1
        elif _is_label(&pair, r.cluster_label, r.cluster_label_size):
            out.cluster = pair
            named += 1
    return named == 2 and _is_short(&out.cluster) and _is_short(&out.replica)

cdef inline bint replica_in_pairs(
    const Replicas* r, const LabelPair* pairs, uint32_t count, Replica* out
) noexcept nogil:
    """Whether these labels, of which none comes twice, name one."""
    cdef uint32_t i
    cdef uint32_t named = 0
    for i in range(count):
        if _is_label(&pairs[i], r.replica_label, r.replica_label_size):
            out.replica = pairs[i]
            out.index = i
            named += 1
        elif _is_label(&pairs[i], r.cluster_label, r.cluster_label_size):
            out.cluster = pairs[i]
            named += 1
    return named == 2 and _is_short(&out.cluster) and _is_short(&out.replica)

cdef inline bint _same_value(const LabelPair* a, const LabelPair* b) noexcept nogil:
    return a.value_size == b.value_size and memcmp(a.value, b.value, a.value_size) == 0

cdef inline int replica_number(Replicas* r, const Replica* replica) noexcept nogil:
    """From 1 on, the same for the same; 0, and counted, where there are too many; -1 without memory."""
    cdef uint32_t i
    if r.count and _same_value(&r.found[r.last].replica, &replica.replica):  # mostly a request is of one
        if _same_value(&r.found[r.last].cluster, &replica.cluster):
            return r.last + 1
    for i in range(r.count):
        if _same_value(&r.found[i].replica, &replica.replica) and _same_value(&r.found[i].cluster, &replica.cluster):
            r.last = i
            return i + 1
    if r.count == MAX_REPLICAS:
        r.unnamed += 1
        return 0
    if r.found == NULL:
        r.found = <Replica*>malloc(MAX_REPLICAS * sizeof(Replica))
        if r.found == NULL:
            return -1
    r.found[r.count] = replica[0]
    r.last = r.count
    r.count += 1
    return r.count
