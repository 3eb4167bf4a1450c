"""The memory of one head: series, windows, counters. Takes parsed records whole or not at all. One thread at a time."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from consumers.arena cimport Arena
from consumers.known_table cimport KnownTable
from consumers.label_hash cimport HashKey
from consumers.record cimport Entry, Record
from consumers.series_table cimport SeriesTable

cdef enum:
    BATCH = 32   # entries looked up together: about as many cache misses as a core keeps under way

    # Why a sample was rejected; names in head.pyx, in this order.
    OUT_OF_BOUNDS_PAST = 0
    OUT_OF_BOUNDS_FUTURE = 1
    TOO_MANY_WINDOWS = 2
    DUPLICATE_TIMESTAMP = 3
    REFUSALS = 4

cdef struct Tally:
    uint64_t records
    uint64_t appended
    uint64_t stored
    uint64_t duplicate
    uint64_t deduplicated
    uint64_t rejected[REFUSALS]
    uint64_t exemplars
    uint64_t metadata

cdef struct Store:
    Arena arena
    SeriesTable table
    Tally tally
    int64_t* windows           # starts in ms, in the order of opening
    uint32_t windows_count
    uint32_t windows_capacity
    HashKey key
    int64_t window_ms
    int64_t max_age
    int64_t max_future
    uint32_t max_windows
    uint32_t settled           # series whose late samples are sorted in
    uint32_t stocked           # series that have samples; others are only known
    KnownTable known           # what version 2 records taught
    uint64_t since             # what was taught at a lower offset does not count
    uint32_t seed              # of the tenant's series hashes

cdef void store_find(Store* s, Entry* entries, uint32_t n) noexcept nogil
"""Finds the series, if any, of up to BATCH entries by their labels; of a store that has series."""

cdef int store_take(Store* s, Record* r, int64_t append_time) noexcept nogil
"""Appends a parsed record: RECORD_OK, or RECORD_NO_MEMORY or a reason of `wire.canonical`; the store is then as it was."""

cdef int store_take_resolved(Store* s, Record* r, int64_t append_time) noexcept nogil
"""As `store_take`, where every entry has its series already."""

cdef void store_leave_out(Store* s, const Record* r) noexcept nogil
"""Counts a parsed record and stores nothing of it."""

cdef int store_settle(Store* s) noexcept nogil
"""Sorts all late samples in; nothing may be taken afterwards. -1: no memory; call again, it goes on where it stopped."""

cdef size_t store_bytes(const Store* s) noexcept nogil

cdef void store_close(Store* s) noexcept nogil
