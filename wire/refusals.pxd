"""What was refused and why: counts by reason, and the first few by name."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from wire.canonical cimport LabelPair, read_label
from wire.cursor cimport Cursor, read_bytes, read_tag, skip_field

cdef enum:
    # Codes of REASONS in write_request.pyx; 0 is no reason.
    INVALID_SYMBOLS = 1
    EMPTY_LABEL_NAME = 2
    INVALID_UTF8 = 3
    TOO_MANY_LABELS = 4
    DUPLICATE_LABEL = 5
    MISSING_NAME = 6
    LABEL_NAME_TOO_LONG = 7
    LABEL_VALUE_TOO_LONG = 8
    SERIES_TOO_LARGE = 9
    TOO_MANY_SERIES = 10
    OUT_OF_BOUNDS_PAST = 11
    OUT_OF_BOUNDS_FUTURE = 12
    INVALID_HISTOGRAM = 13
    TOO_MANY_BUCKETS = 14
    TOO_MANY_SAMPLES = 15
    TOO_MANY_EXEMPLARS = 16
    METADATA_TOO_LARGE = 17
    ACTIVE_SERIES = 18
    REASON_CODES = 19
    MAX_EXAMPLES = 100
    SHOWN_CHARACTERS = 200

cdef struct Example:
    Cursor entry     # TimeSeries or MetricMetadata, in the request's body
    int reason
    bint is_metadata
    bint has_timestamp
    int64_t timestamp

cdef struct Refusals:
    uint64_t counts[REASON_CODES]
    Example examples[MAX_EXAMPLES]
    uint32_t example_count
    uint32_t max_examples
    uint64_t shadow                  # bits of reasons that only count
    uint64_t shadowed[REASON_CODES]

cdef inline void refuse(
    Refusals* r, int reason, uint64_t samples, Cursor entry, const int64_t* timestamp, bint is_metadata
) noexcept nogil:
    """Counts `samples`; `timestamp` is NULL where the whole entry is refused."""
    cdef Example* example
    r.counts[reason] += samples
    if r.example_count < r.max_examples:
        example = &r.examples[r.example_count]
        example.entry = entry
        example.reason = reason
        example.is_metadata = is_metadata
        example.has_timestamp = timestamp != NULL
        example.timestamp = timestamp[0] if timestamp != NULL else 0
        r.example_count += 1

cdef inline bint overlook(Refusals* r, int reason, uint64_t samples) noexcept nogil:
    """Whether what this reason would refuse is to go on, and only counts."""
    if not r.shadow >> reason & 1:
        return False
    r.shadowed[reason] += samples
    return True

cdef inline str shown_text(const uint8_t* data, uint32_t size):
    """At most as many bytes as can be shown, however long the string is."""
    return data[:size if size < SHOWN_CHARACTERS else SHOWN_CHARACTERS].decode("utf-8", "replace")

cdef inline str shortened(str text):
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS - 1] + "…"

cdef inline str shown_label(const LabelPair* pair):
    return f'{shown_text(pair.name, pair.name_size)}="{shown_text(pair.value, pair.value_size)}"'

cdef inline str shown_series(Cursor entry):
    """Labels as they were sent, up to what can be shown; the entry was read before, so it is well formed."""
    cdef uint32_t field, wire_type
    cdef Cursor label
    cdef LabelPair pair
    cdef size_t length = 0
    parts = []
    while entry.p < entry.end and length <= SHOWN_CHARACTERS:
        if read_tag(&entry, &field, &wire_type) < 0:
            break
        if field != 1:
            if skip_field(&entry, wire_type) < 0:
                break
            continue
        if read_bytes(&entry, &label) < 0 or read_label(label, &pair) < 0:
            break
        text = shown_label(&pair)
        parts.append(text)
        length += len(text) + 2
    return shortened("{" + ", ".join(parts) + "}")
