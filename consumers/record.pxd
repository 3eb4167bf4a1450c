"""A record, parsed: its entries, their label bytes and hashes, their samples. Nothing is copied but numbers."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from consumers.label_hash cimport HashKey
from consumers.series_table cimport Series
from consumers.window cimport Sample

cdef struct Entry:
    const uint8_t* labels      # or the 16 bytes of their hash
    Series* series             # found by the head; NULL for a new one
    uint32_t size              # of labels
    uint32_t tag               # of their hash
    uint32_t first             # of its samples
    uint32_t samples

cdef struct Record:
    # Begins zeroed; `record_free` after use, after a failure too. Points into the record's bytes.
    Entry* entries
    Sample* samples
    uint32_t entries_count
    uint32_t entries_capacity
    uint32_t samples_count
    uint32_t samples_capacity
    uint64_t histogram_bytes   # arena bytes of all histograms
    uint64_t exemplars
    uint64_t metadata
    uint32_t labelled          # entries before this one hold labels, those from it on a hash
    int64_t label_window       # of the gateway that wrote it, ms; 0 where it does not say
    const uint8_t* at          # of the entry that is being parsed, for messages

cdef enum:
    RECORD_OK = 0
    RECORD_NO_MEMORY = -1
    RECORD_MALFORMED = 16      # reasons below are `wire.canonical`'s
    RECORD_LABELS_SCATTERED = 17
    RECORD_HISTOGRAM = 18
    RECORD_UNKNOWN_LABELS = 19
    RECORD_FIELDS_UNORDERED = 20
    RECORD_ROWS = 21

    HASH_SIZE = 16

cdef int record_parse(Record* r, const uint8_t* data, size_t size, const HashKey* key) noexcept nogil
"""RECORD_OK, or why not. Checks all but whether labels are canonical: only a new series' labels need that."""

cdef int record_parse_v2(Record* r, const uint8_t* data, size_t size, const HashKey* key) noexcept nogil
"""As `record_parse`, of format version 2. Every labelled entry needs its labels checked."""

cdef void record_free(Record* r) noexcept nogil
