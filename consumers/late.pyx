"""Why the first of equal times in (in-order samples, then late samples as they arrived) is the first of the log:

An in-order float is newer than every float that was in the chunk before it, and a late float is not newer than the
chunk's last one. So an in-order sample at the time of a late one entered the chunk earlier than the late one came. And
once a histogram is late, no float enters the chunk any more.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from consumers.arena cimport (
    Arena, BUFFER_CLASSES, arena_reserve, arena_take, buffer_class, buffer_give, buffer_size, buffer_take
)
from consumers.histogram_wire cimport HISTOGRAM_OK, histogram_free, histogram_read, histogram_same
from consumers.window cimport (
    FullChunk, LateSample, Sample, Window, window_add_chunk, xor_size
)
from tsdb.chunk_list cimport ChunkList, chunk_list_free
from tsdb.float_chunks cimport encode_floats
from tsdb.histogram cimport Histogram, encode_histograms
from tsdb.xor cimport XorReader, xor_next, xor_open

cdef struct Times:
    # Scratch of one merge: two arrays of samples to sort between.
    Sample* samples
    Sample* other
    uint32_t count


cdef inline void _read_chunk(Times* times, const unsigned char* data, uint32_t size) noexcept nogil:
    """Adds a chunk's floats; it was written here, so it can be read."""
    cdef XorReader reader
    if xor_open(&reader, data, size) < 0:
        return
    while xor_next(&reader) > 0:
        times.samples[times.count] = Sample(reader.t, reader.v, NULL, 0)
        times.count += 1


cdef void _gather(const Window* w, Times* times) noexcept nogil:
    cdef const FullChunk* chunk = w.rest.first_chunk
    cdef const LateSample* late = w.rest.first_late
    while chunk != NULL:
        _read_chunk(times, chunk.data, chunk.size)
        chunk = chunk.next
    if w.xor.count:
        _read_chunk(times, w.data, xor_size(&w.xor))
    while late != NULL:
        times.samples[times.count] = late.sample
        times.count += 1
        late = late.next


cdef void _sort(Times* times) noexcept nogil:
    """By time, stable: merge sort from below, which leaves runs that are in order alone."""
    cdef uint32_t width = 1
    cdef uint32_t start, middle, end, i, j, k
    cdef Sample* a
    cdef Sample* b
    while width < times.count:
        a = times.samples
        b = times.other
        start = 0
        while start < times.count:
            middle = start + width if times.count - start > width else times.count
            end = middle + width if times.count - middle > width else times.count
            if middle == end or a[middle - 1].t <= a[middle].t:
                memcpy(b + start, a + start, (end - start) * sizeof(Sample))
            else:
                i = start
                j = middle
                for k in range(start, end):
                    if i < middle and (j == end or a[i].t <= a[j].t):
                        b[k] = a[i]
                        i += 1
                    else:
                        b[k] = a[j]
                        j += 1
            start = end
        times.samples = b
        times.other = a
        width = width * 2 if width < 0x40000000 else times.count


cdef int _same(const Sample* a, const Sample* b) noexcept nogil:
    """1 or 0; -1 where memory ran out."""
    cdef Histogram left, right
    cdef bint equal
    if a.histogram == NULL or b.histogram == NULL:
        return a.histogram == b.histogram and a.bits == b.bits
    if histogram_read(a.histogram, a.size, &left) != HISTOGRAM_OK:
        return -1
    if histogram_read(b.histogram, b.size, &right) != HISTOGRAM_OK:
        histogram_free(&left)
        return -1
    equal = histogram_same(&left, &right)
    histogram_free(&left)
    histogram_free(&right)
    return equal


cdef int _drop_repeats(Times* times, Repeats* repeats) noexcept nogil:
    cdef uint32_t kept = 0
    cdef uint32_t i
    cdef int same
    for i in range(times.count):
        if kept and times.samples[kept - 1].t == times.samples[i].t:
            same = _same(&times.samples[kept - 1], &times.samples[i])
            if same < 0:
                return -1
            if same:
                repeats.duplicate += 1
            else:
                repeats.conflicting += 1
            continue
        times.samples[kept] = times.samples[i]
        kept += 1
    times.count = kept
    return 0


cdef int _encode_floats(const Sample* samples, uint32_t n, void* scratch, ChunkList* out) noexcept nogil:
    """`scratch` holds n samples; here it holds their times and values in two columns."""
    cdef int64_t* t = <int64_t*>scratch
    cdef uint64_t* bits = <uint64_t*>scratch + n
    cdef uint32_t i
    for i in range(n):
        t[i] = samples[i].t
        bits[i] = samples[i].bits
    return encode_floats(t, bits, n, out)


cdef int _encode_histograms(const Sample* samples, uint32_t n, ChunkList* out) noexcept nogil:
    cdef Histogram* histograms = <Histogram*>calloc(n, sizeof(Histogram))
    cdef uint32_t i
    cdef int status = 0
    if histograms == NULL:
        return -1
    for i in range(n):
        status = histogram_read(samples[i].histogram, samples[i].size, &histograms[i])
        if status != HISTOGRAM_OK:
            break
    if status == HISTOGRAM_OK:
        status = encode_histograms(histograms, n, out)
    for i in range(n):
        histogram_free(&histograms[i])
    free(histograms)
    return -1 if status < 0 else 0


cdef int _encode(Times* times, ChunkList* out) noexcept nogil:
    """Run by run of one kind, so that chunks depend on the sorted samples alone."""
    cdef uint32_t start = 0
    cdef uint32_t end
    cdef bint histograms
    cdef int status = 0
    while start < times.count and status == 0:
        histograms = times.samples[start].histogram != NULL
        end = start + 1
        while end < times.count and (times.samples[end].histogram != NULL) == histograms:
            end += 1
        if histograms:
            status = _encode_histograms(times.samples + start, end - start, out)
        else:
            status = _encode_floats(times.samples + start, end - start, times.other, out)
        start = end
    return status


cdef int window_merge(const Window* w, ChunkList* out, Repeats* repeats) noexcept nogil:
    cdef Times times
    cdef uint64_t total = <uint64_t>w.rest.late + w.xor.count
    cdef const FullChunk* chunk = w.rest.first_chunk
    cdef Sample* memory
    cdef int status
    while chunk != NULL:
        total += chunk.samples
        chunk = chunk.next
    if total > 0x3FFFFFFF:
        return -1
    memory = <Sample*>malloc(2 * total * sizeof(Sample) + 1)
    if memory == NULL:
        return -1
    times.samples = memory
    times.other = memory + total
    times.count = 0
    _gather(w, &times)
    _sort(&times)
    status = _drop_repeats(&times, repeats)
    if status == 0:
        status = _encode(&times, out)
    free(memory)
    return status


cdef void _give_back(Arena* a, Window* w) noexcept nogil:
    cdef FullChunk* chunk = w.rest.first_chunk
    while chunk != NULL:
        if chunk.size_class < BUFFER_CLASSES:
            buffer_give(a, chunk.data, chunk.size_class)
        chunk = chunk.next
    if w.data != NULL:
        buffer_give(a, w.data, w.size_class)
    w.data = NULL
    w.xor.count = 0
    w.rest.first_chunk = w.rest.last_chunk = NULL
    w.rest.first_late = w.rest.last_late = NULL
    w.rest.late = w.rest.late_histograms = 0


cdef int window_settle(Arena* a, Window* w, Repeats* repeats) noexcept nogil:
    cdef ChunkList merged = ChunkList(NULL, 0, 0)
    cdef Repeats found = Repeats(0, 0)
    cdef FullChunk* chunk
    cdef size_t need = 0
    cdef uint32_t i, size_class
    if window_merge(w, &merged, &found) < 0:
        chunk_list_free(&merged)
        return -1
    for i in range(merged.count):
        size_class = buffer_class(merged.items[i].size)
        need += sizeof(FullChunk) + (
            buffer_size(size_class) if size_class < BUFFER_CLASSES else merged.items[i].size + 8
        )
    if arena_reserve(a, need) < 0:
        chunk_list_free(&merged)
        return -1
    _give_back(a, w)
    for i in range(merged.count):
        size_class = buffer_class(merged.items[i].size)
        chunk = <FullChunk*>arena_take(a, sizeof(FullChunk))
        if size_class < BUFFER_CLASSES:
            chunk.data = buffer_take(a, size_class)
        else:
            chunk.data = <unsigned char*>arena_take(a, merged.items[i].size)
        memcpy(chunk.data, merged.items[i].data, merged.items[i].size)
        chunk.mint = merged.items[i].mint
        chunk.maxt = merged.items[i].maxt
        chunk.size = merged.items[i].size
        chunk.samples = <unsigned short>merged.items[i].samples
        chunk.encoding = merged.items[i].encoding
        chunk.size_class = <unsigned char>size_class
        window_add_chunk(w.rest, chunk)
    chunk_list_free(&merged)
    repeats.duplicate += found.duplicate
    repeats.conflicting += found.conflicting
    return 0
