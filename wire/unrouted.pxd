"""Series that were walked and have no partition yet.

Which partition a hash comes to cannot be foreseen, so a processor that routes each series at once has to wait for each
hash before it can go on with the next series. Some at a time, one behind the other, their hashes are worked on together.
"""

from libc.stdint cimport uint8_t, uint32_t

from wire.murmur3 cimport Hash128, murmur3_x64_128, murmur3_x64_128_of_two
from wire.plan cimport Plan

cdef enum:
    MAX_UNROUTED = 16

cdef struct UnroutedSeries:
    const uint8_t* run     # canonical labels; NULL where they are in scratch, which may move
    size_t offset          # there
    size_t size            # of the labels; 0 where the hash is known
    size_t first           # entry in the plan: it has all up to the next series', but for metadata
    uint32_t replica       # its number
    Hash128 hash

cdef struct Unrouted:
    # Begins zeroed.
    UnroutedSeries series[MAX_UNROUTED]
    uint32_t count

cdef inline void add_unrouted(
    Unrouted* u, const Plan* plan, const uint8_t* run, size_t size, uint32_t replica
) noexcept nogil:
    """Whose entries are the next ones of the plan. The labels stay where they are until it is hashed."""
    cdef UnroutedSeries* series = &u.series[u.count]
    series.offset = <size_t>run - <size_t>plan.scratch
    series.run = run
    if series.offset < plan.scratch_room:
        series.run = NULL
    series.size = size
    series.first = plan.count
    series.replica = replica
    u.count += 1

cdef inline const uint8_t* _run_of(const UnroutedSeries* series, const Plan* plan) noexcept nogil:
    return series.run if series.run != NULL else plan.scratch + series.offset

cdef inline void hash_unrouted(UnroutedSeries* series, const Plan* plan, uint32_t seed) noexcept nogil:
    if series.size:
        series.hash = murmur3_x64_128(_run_of(series, plan), series.size, seed)
        series.size = 0

cdef inline void hash_all(Unrouted* u, const Plan* plan, uint32_t seed) noexcept nogil:
    cdef UnroutedSeries* one
    cdef UnroutedSeries* two
    cdef uint32_t i = 0
    while i + 1 < u.count:
        one = &u.series[i]
        two = one + 1
        if one.size and two.size:
            murmur3_x64_128_of_two(
                _run_of(one, plan), one.size, &one.hash, _run_of(two, plan), two.size, &two.hash, seed
            )
        else:
            hash_unrouted(one, plan, seed)
            hash_unrouted(two, plan, seed)
        i += 2
    if i < u.count:
        hash_unrouted(&u.series[i], plan, seed)
