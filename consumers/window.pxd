"""What one series holds of one window: the chunk in progress, full chunks, and samples that came late.

Floats that come in order go straight into an XOR chunk. Everything else (a float before the last one, any histogram,
any float behind a histogram) is kept in arrival order in the late list and sorted in once, when the head is finished.
Bytes taken from the arena must have been reserved (`window_need`); then nothing here can fail.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from consumers.arena cimport (
    Arena, BUFFER_CLASSES, arena_take, buffer_class, buffer_give, buffer_size, buffer_take
)
from tsdb.xor cimport SAMPLES_PER_CHUNK, XOR_MAX_SAMPLE_BYTES, XorState, xor_append

cdef enum:
    SAMPLE_ROOM = XOR_MAX_SAMPLE_BYTES + 2  # what `xor_append` wants to see behind the end of a chunk
    FIRST_ROOM = 32                         # the same for an empty one
    NO_WINDOW = 0x7FFFFFFF                  # ordinal of a series that is known and has no sample yet
    SAMPLE_NEED = 256                       # most that one sample takes: a window, a full chunk's entry, a late sample

cdef struct Sample:
    # One decoded sample of a record. A histogram's bytes stay where they are until it is kept.
    int64_t t
    uint64_t bits                # of a float
    const uint8_t* histogram     # NULL for a float
    uint32_t size

cdef struct FullChunk:
    FullChunk* next
    uint8_t* data
    int64_t mint
    int64_t maxt
    uint32_t size
    uint16_t samples
    uint8_t encoding
    uint8_t size_class           # BUFFER_CLASSES: longer than any buffer, taken from the arena for good

cdef struct LateSample:
    LateSample* next
    Sample sample

cdef struct WindowRest:
    # What few windows have; taken with the first need for it.
    FullChunk* first_chunk
    FullChunk* last_chunk
    LateSample* first_late
    LateSample* last_late
    Window* next                 # the same series, another window
    uint32_t late
    uint32_t late_histograms

cdef struct Window:
    XorState xor                 # of the chunk in progress; count is 0 only before the first in-order float
    uint8_t* data
    WindowRest* rest             # NULL where there is none
    uint32_t ordinal             # in the head's list of windows
    uint16_t announced           # samples of the record that is being taken, up to 65535; 0 between records
    uint8_t size_class           # of data

cdef enum:
    KEPT = 0
    REPEATED = 1
    CONFLICTING = 2

cdef inline void window_open(Window* w, uint32_t ordinal) noexcept nogil:
    memset(w, 0, sizeof(Window))
    w.ordinal = ordinal

cdef inline uint32_t xor_size(const XorState* s) noexcept nogil:
    return (s.nbits + 7) >> 3

cdef inline size_t window_need(Window* w, uint32_t samples) noexcept nogil:
    """Upper bound of the arena bytes that `samples` more samples take, histograms' own bytes apart; NULL: a new series.

    Called for each entry of a record before any is appended; `announced` remembers what earlier ones asked for. A buffer
    is at most twice as long as it must be, so all that a chunk outgrows while it is filled is less than six times its
    final length.
    """
    cdef uint64_t need = <uint64_t>samples * SAMPLE_NEED
    cdef uint64_t growth = 6 * <uint64_t>samples * SAMPLE_ROOM
    cdef uint64_t before, used, room
    if w == NULL:
        return need + growth + 6 * FIRST_ROOM
    before = w.announced
    w.announced = <uint16_t>(before + samples if before + samples < 0xFFFF else 0xFFFF)
    if w.rest != NULL and w.rest.next != NULL:
        if before:
            return need + growth
        used = 0
        while w != NULL:
            used += xor_size(&w.xor)
            w = NULL if w.rest == NULL else w.rest.next
        return need + growth + 6 * (used + FIRST_ROOM)
    used = xor_size(&w.xor)
    room = buffer_size(w.size_class)
    if used + (before + samples) * SAMPLE_ROOM <= room and w.xor.count + before + samples <= SAMPLES_PER_CHUNK:
        return need
    if before and not (used + before * SAMPLE_ROOM <= room and w.xor.count + before <= SAMPLES_PER_CHUNK):
        return need + growth  # what is there already was counted for the earlier entry
    return need + 6 * (used + FIRST_ROOM + (before + samples) * SAMPLE_ROOM)

cdef inline WindowRest* window_rest(Arena* a, Window* w) noexcept nogil:
    if w.rest == NULL:
        w.rest = <WindowRest*>arena_take(a, sizeof(WindowRest))
        memset(w.rest, 0, sizeof(WindowRest))
    return w.rest

cdef inline int64_t xor_first_time(const uint8_t* data) noexcept nogil:
    """The time of the first sample of a chunk that was written here."""
    cdef uint64_t raw = 0
    cdef uint32_t shift = 0
    cdef const uint8_t* p = data + 2
    while p[0] >= 0x80:
        raw |= <uint64_t>(p[0] & 0x7F) << shift
        shift += 7
        p += 1
    raw |= <uint64_t>p[0] << shift
    return <int64_t>(raw >> 1) ^ -<int64_t>(raw & 1)

cdef inline void window_add_chunk(WindowRest* rest, FullChunk* chunk) noexcept nogil:
    chunk.next = NULL
    if rest.last_chunk == NULL:
        rest.first_chunk = chunk
    else:
        rest.last_chunk.next = chunk
    rest.last_chunk = chunk

cdef inline void window_cut(Arena* a, Window* w) noexcept nogil:
    """Puts the chunk in progress among the full ones."""
    cdef FullChunk* chunk = <FullChunk*>arena_take(a, sizeof(FullChunk))
    chunk.data = w.data
    chunk.mint = xor_first_time(w.data)
    chunk.maxt = w.xor.t
    chunk.size = xor_size(&w.xor)
    chunk.samples = w.xor.count
    chunk.encoding = 1
    chunk.size_class = w.size_class
    window_add_chunk(window_rest(a, w), chunk)
    w.data = NULL
    w.xor.count = 0

cdef inline void _make_room(Arena* a, Window* w) noexcept nogil:
    cdef uint32_t used
    cdef uint8_t* data
    cdef uint32_t size_class
    if w.data == NULL:
        w.size_class = 0
        w.data = buffer_take(a, 0)
        return
    used = xor_size(&w.xor)
    if used + SAMPLE_ROOM <= buffer_size(w.size_class):
        return
    size_class = buffer_class(used + SAMPLE_ROOM)
    data = buffer_take(a, size_class)
    memcpy(data, w.data, used)
    buffer_give(a, w.data, w.size_class)
    w.data = data
    w.size_class = <uint8_t>size_class

cdef inline void _keep_late(Arena* a, Window* w, const Sample* s) noexcept nogil:
    cdef WindowRest* rest = window_rest(a, w)
    cdef LateSample* late = <LateSample*>arena_take(a, sizeof(LateSample))
    cdef uint8_t* copy
    late.next = NULL
    late.sample = s[0]
    if s.histogram != NULL:
        copy = <uint8_t*>arena_take(a, s.size)
        memcpy(copy, s.histogram, s.size)
        late.sample.histogram = copy
        rest.late_histograms += 1
    if rest.last_late == NULL:
        rest.first_late = late
    else:
        rest.last_late.next = late
    rest.last_late = late
    rest.late += 1

cdef inline int window_append(Arena* a, Window* w, const Sample* s) noexcept nogil:
    """Takes one sample. CONFLICTING: another value stands at its time. What is KEPT late may still turn out either."""
    if s.histogram != NULL or (w.rest != NULL and w.rest.late_histograms):
        _keep_late(a, w, s)
        return KEPT
    if w.xor.count:
        if s.t < w.xor.t:
            _keep_late(a, w, s)
            return KEPT
        if s.t == w.xor.t:
            return REPEATED if s.bits == w.xor.v else CONFLICTING
        if w.xor.count == SAMPLES_PER_CHUNK:
            window_cut(a, w)
    _make_room(a, w)
    xor_append(w.data, &w.xor, s.t, s.bits)
    return KEPT
