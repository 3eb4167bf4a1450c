"""Native histograms as C structs, and their encoder into chunks (encodings 2 and 3).

Source of the format: docs/formats.md, "histogram chunks".
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tsdb.chunk_list cimport ChunkList, EncodedChunk, chunk_list_append, chunk_list_free
from tsdb.float_chunks cimport encode_floats

cdef enum:
    HINT_UNKNOWN = 0
    HINT_RESET = 1
    HINT_NOT_RESET = 2
    HINT_GAUGE = 3
    SCHEMA_CUSTOM = -53   # buckets by custom bounds

cdef struct Span:
    int32_t offset    # of the first span: its first bucket's index; of a later one: buckets left out before it
    uint32_t length

cdef struct Histogram:
    # One native histogram sample; the pointers belong to the caller.
    int64_t t
    uint64_t count             # an integer, or the bits of a double if is_float; zero_count and buckets likewise
    uint64_t zero_count
    uint64_t sum               # bits of a double
    double zero_threshold
    int32_t schema
    uint8_t is_float
    uint8_t reset_hint
    uint32_t positive_spans
    uint32_t negative_spans
    uint32_t positive_buckets
    uint32_t negative_buckets
    uint32_t custom_values
    const Span* spans          # positive, then negative
    const uint64_t* buckets    # positive, then negative; integers: int64 deltas, the first of each side absolute, as in
                               # remote-write; floats: bits of absolute counts
    const double* custom

cdef enum:
    MAX_BUCKETS = 1 << 16  # of one side; also spans and custom bounds: what a chunk can be asked to hold
    MAX_INDEX = 1 << 30    # of a bucket, either way: then the gap between any two buckets of a chunk is an int32

cdef inline bint is_stale(const Histogram* h) noexcept nogil:
    """A stale marker: its sum alone counts, all else is left out of chunks."""
    return h.sum == <uint64_t>0x7FF0000000000002ULL

cdef int encode_histograms(const Histogram* sorted, uint32_t n, ChunkList* out) noexcept nogil
"""Appends the run as chunks; `t` strictly ascending; integers, floats, gauges and stale markers in any mixture.

A chunk ends where the next sample is of another kind, gauge-ness, schema, zero threshold or custom bounds, or follows a
stale marker without being one; at a counter reset (shown by a count that fell, or told by HINT_RESET; the next chunk
then says so in its header); after SAMPLES_PER_CHUNK samples; after the sample that takes it to 1024 bytes if it has ten,
or to 2048; and before a sample that would widen it so far that it could not stay below that. Its buckets are those of
all its samples together.

0, or -1 where memory ran out, or -2 where a sample's shape is wrong (`histogram_shape_ok`); `out` then holds the chunks
finished before.
"""

cdef inline bint histogram_shape_ok(const Histogram* h) noexcept nogil:
    """Whether a chunk can hold it: a known schema; spans that cover exactly the buckets, ascending, in range."""
    return (
        (-9 <= h.schema <= 52 or h.schema == SCHEMA_CUSTOM)
        and h.custom_values <= MAX_BUCKETS
        and _side_ok(h.spans, h.positive_spans, h.positive_buckets)
        and _side_ok(h.spans + h.positive_spans, h.negative_spans, h.negative_buckets)
    )

cdef inline bint _side_ok(const Span* spans, uint32_t n, uint32_t buckets) noexcept nogil:
    cdef int64_t index = 0
    cdef uint64_t covered = 0
    cdef uint32_t i
    if n > MAX_BUCKETS or buckets > MAX_BUCKETS:
        return False
    for i in range(n):
        if spans[i].offset < (0 if i else -MAX_INDEX):
            return False
        index += spans[i].offset
        index += spans[i].length
        covered += spans[i].length
        if index > MAX_INDEX or covered > buckets:
            return False
    return covered == buckets
