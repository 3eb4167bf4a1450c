"""Chunks from Python: encode, decode, merge. Samples stay in C memory; only histograms are objects while they are merged."""

from cpython cimport array
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from array import array as new_array
from collections import namedtuple

from tsdb.chunk import Chunk
from tsdb.errors import CorruptChunk
from tsdb.native_histogram import Histogram

from tsdb.chunk_list cimport ChunkList, chunk_list_free
from tsdb.float_chunks cimport encode_floats as encode_float_run
from tsdb.histogram cimport Histogram as HistogramStruct, Span, encode_histograms as encode_histogram_run, is_stale
from tsdb.histogram_reader cimport HistogramReader, histogram_close, histogram_next, histogram_open
from tsdb.sample_runs cimport Sample, SampleRuns, runs_add_xor, runs_end, runs_free, runs_push, runs_sort

MergeCounts = namedtuple("MergeCounts", ["duplicate", "conflicting"])
Samples = namedtuple("Samples", ["timestamps", "bits", "histograms"])

cdef array.array _TIMES = new_array("q")
cdef array.array _BITS = new_array("Q")

cdef enum:
    XOR = 1
    HISTOGRAM = 2
    FLOAT_HISTOGRAM = 3

cdef int64_t INT64_MIN = -0x7FFFFFFFFFFFFFFF - 1
cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF


def sample_count(const uint8_t[::1] data not None):
    if data.shape[0] < 2:
        raise CorruptChunk(f"chunk without a header: bytes={data.shape[0]}")
    return data[0] << 8 | data[1]


def encode_floats(const int64_t[::1] timestamps not None, const uint64_t[::1] bits not None):
    cdef ChunkList out
    cdef size_t i
    cdef size_t n = timestamps.shape[0]
    cdef int status
    if n != <size_t>bits.shape[0]:
        raise ValueError(f"not a value for each time: timestamps={n} bits={bits.shape[0]}")
    if n == 0:
        return []
    if n > 0xFFFFFFFF:
        raise ValueError(f"more samples than one run can hold: timestamps={n}")
    for i in range(1, n):
        if timestamps[i] <= timestamps[i - 1]:
            raise ValueError(f"times do not ascend: index={i} before={timestamps[i - 1]} time={timestamps[i]}")
    memset(&out, 0, sizeof(out))
    try:
        with nogil:
            status = encode_float_run(&timestamps[0], &bits[0], <uint32_t>n, &out)
        if status < 0:
            raise MemoryError
        return _take(&out)
    finally:
        chunk_list_free(&out)


cdef list _take(const ChunkList* chunks):
    cdef uint32_t i
    return [
        Chunk(
            chunks.items[i].encoding,
            chunks.items[i].mint,
            chunks.items[i].maxt,
            (<const char*>chunks.items[i].data)[: chunks.items[i].size],
        )
        for i in range(chunks.count)
    ]


def decode_floats(const uint8_t[::1] data not None):
    cdef SampleRuns runs
    memset(&runs, 0, sizeof(runs))
    try:
        _add_xor(&runs, data, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX)
        return _columns(&runs)
    finally:
        runs_free(&runs)


cdef int _add_xor(
    SampleRuns* runs, const uint8_t[::1] data, int64_t first, int64_t last, int64_t mint, int64_t maxt
) except -1:
    cdef size_t size = data.shape[0]
    cdef const uint8_t* start = &data[0] if size else NULL
    cdef int status
    with nogil:
        status = runs_add_xor(runs, start, size, first, last, mint, maxt)
    if status == -2:
        raise MemoryError
    if status < 0:
        raise CorruptChunk(f"damaged chunk: encoding={XOR} bytes={size}")
    return 0


cdef tuple _columns(const SampleRuns* runs):
    """Times and bits of the floats; the runs are sorted."""
    cdef size_t i
    cdef size_t n = 0
    cdef array.array times, bits
    cdef long long* t
    cdef unsigned long long* v
    for i in range(runs.count):
        n += not runs.items[i].histogram
    times = array.clone(_TIMES, n, zero=False)
    bits = array.clone(_BITS, n, zero=False)
    t = times.data.as_longlongs
    v = bits.data.as_ulonglongs
    with nogil:
        for i in range(runs.count):
            if not runs.items[i].histogram:
                t[0] = runs.items[i].t
                v[0] = runs.items[i].value
                t += 1
                v += 1
    return times, bits


cdef list _objects(const SampleRuns* runs, list histograms):
    """The histograms that the runs' numbers mean, in order."""
    cdef size_t i
    out = []
    for i in range(runs.count):
        if runs.items[i].histogram:
            out.append(histograms[runs.items[i].value])
    return out


def encode_histograms(samples not None):
    cdef size_t n = len(samples)
    cdef size_t spans = 0
    cdef size_t buckets = 0
    cdef size_t custom = 0
    cdef HistogramStruct* structs
    cdef Span* span
    cdef uint64_t* bucket
    cdef double* bound
    cdef ChunkList out
    cdef size_t i
    cdef int status
    for sample in samples:
        spans += len(sample.positive_spans) + len(sample.negative_spans)
        buckets += len(sample.positive_buckets) + len(sample.negative_buckets)
        custom += len(sample.custom_values)
    memset(&out, 0, sizeof(out))
    structs = <HistogramStruct*>malloc(
        n * sizeof(HistogramStruct) + buckets * sizeof(uint64_t) + custom * sizeof(double) + spans * sizeof(Span) + 1
    )
    if structs == NULL:
        raise MemoryError
    try:
        bucket = <uint64_t*>(structs + n)
        bound = <double*>(bucket + buckets)
        span = <Span*>(bound + custom)
        for i in range(n):
            _fill(&structs[i], samples[i], &span, &bucket, &bound)
            if i and structs[i].t <= structs[i - 1].t:
                raise ValueError(f"times do not ascend: index={i} before={structs[i - 1].t} time={structs[i].t}")
        with nogil:
            status = encode_histogram_run(structs, <uint32_t>n, &out)
        if status == -1:
            raise MemoryError
        if status < 0:
            raise ValueError("a histogram's spans do not cover its buckets, or its schema is unknown")
        return _take(&out)
    finally:
        free(structs)
        chunk_list_free(&out)


cdef int _fill(HistogramStruct* h, sample, Span** span, uint64_t** bucket, double** bound) except -1:
    """Makes `h` the sample, its parts laid down where the three pointers are; they move behind them."""
    h.t = sample.t
    h.is_float = sample.is_float
    h.schema = sample.schema
    h.zero_threshold = sample.zero_threshold
    h.sum = sample.sum_bits
    h.count = sample.count
    h.zero_count = sample.zero_count
    h.reset_hint = sample.reset_hint
    h.spans = span[0]
    h.buckets = bucket[0]
    h.custom = bound[0]
    h.positive_spans = <uint32_t>len(sample.positive_spans)
    h.negative_spans = <uint32_t>len(sample.negative_spans)
    h.positive_buckets = <uint32_t>len(sample.positive_buckets)
    h.negative_buckets = <uint32_t>len(sample.negative_buckets)
    h.custom_values = <uint32_t>len(sample.custom_values)
    for side in (sample.positive_spans, sample.negative_spans):
        for offset, length in side:
            span[0].offset = offset
            span[0].length = length
            span[0] += 1
    for side in (sample.positive_buckets, sample.negative_buckets):
        for value in side:
            bucket[0][0] = <uint64_t>value if h.is_float else <uint64_t>(<int64_t>value)
            bucket[0] += 1
    for value in sample.custom_values:
        bound[0][0] = value
        bound[0] += 1
    return 0


def decode_histograms(int encoding, const uint8_t[::1] data not None):
    histograms = []
    _read_histograms(histograms, encoding, data, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX)
    return histograms


cdef int _read_histograms(
    list out, int encoding, const uint8_t[::1] data, int64_t first, int64_t last, int64_t mint, int64_t maxt
) except -1:
    """Appends the samples of [mint, maxt]; all must lie in [first, last], which the chunk says of itself."""
    cdef HistogramReader reader
    cdef size_t size = data.shape[0]
    cdef int64_t before = first
    cdef tuple shared = None
    cdef int status
    if encoding not in (HISTOGRAM, FLOAT_HISTOGRAM):
        raise CorruptChunk(f"unknown chunk encoding: encoding={encoding}")
    status = histogram_open(&reader, encoding == FLOAT_HISTOGRAM, &data[0] if size else NULL, size)
    try:
        while status >= 0:
            status = histogram_next(&reader)
            if status <= 0:
                break
            if reader.current.t < before or reader.current.t > last:
                status = -1
                break
            before = reader.current.t
            if mint <= before <= maxt:
                if shared is None and not is_stale(&reader.current):
                    shared = _layout(&reader.layout)
                out.append(_view(&reader.current, shared))
    finally:
        histogram_close(&reader)
    if status == -2:
        raise MemoryError
    if status < 0:
        raise CorruptChunk(f"damaged chunk: encoding={encoding} bytes={size}")
    return 0


cdef tuple _layout(const HistogramStruct* h):
    """What all samples of a chunk share, and need not hold a copy of each: spans of both sides, custom bounds."""
    cdef uint32_t i
    return (
        _spans(h.spans, h.positive_spans),
        _spans(h.spans + h.positive_spans, h.negative_spans),
        tuple([h.custom[i] for i in range(h.custom_values)]),
    )


cdef _view(const HistogramStruct* h, tuple layout):
    positive, negative, custom = ((), (), ()) if is_stale(h) else layout
    return Histogram(
        h.t,
        bool(h.is_float),
        h.schema,
        h.zero_threshold,
        h.sum,
        h.count,
        h.zero_count,
        h.reset_hint,
        positive,
        negative,
        _buckets(h.buckets, h.positive_buckets, h.is_float),
        _buckets(h.buckets + h.positive_buckets, h.negative_buckets, h.is_float),
        custom,
    )


cdef tuple _spans(const Span* spans, uint32_t n):
    cdef uint32_t i
    return tuple([(spans[i].offset, spans[i].length) for i in range(n)])


cdef tuple _buckets(const uint64_t* buckets, uint32_t n, bint is_float):
    cdef uint32_t i
    if is_float:
        return tuple([buckets[i] for i in range(n)])
    return tuple([<int64_t>buckets[i] for i in range(n)])


def merge_chunks(chunks not None):
    cdef int64_t end = 0
    order = sorted(range(len(chunks)), key=lambda i: chunks[i].mint)
    out = []
    group = []
    duplicate = conflicting = 0
    for i in order:
        chunk = chunks[i]
        if chunk.mint > chunk.maxt:
            raise CorruptChunk(f"a chunk ends before it begins: mint={chunk.mint} maxt={chunk.maxt}")
        if group and chunk.mint > end:
            counts = _merge_group([chunks[k] for k in sorted(group)], out)
            duplicate += counts[0]
            conflicting += counts[1]
            group = []
        end = max(end, chunk.maxt) if group else chunk.maxt
        group.append(i)
    if group:
        counts = _merge_group([chunks[k] for k in sorted(group)], out)
        duplicate += counts[0]
        conflicting += counts[1]
    return out, MergeCounts(duplicate, conflicting)


cdef tuple _merge_group(list chunks, list out):
    """Appends one run of overlapping chunks, priority first, to `out`; (duplicates, conflicts)."""
    cdef SampleRuns runs
    cdef uint64_t duplicate = 0
    cdef uint64_t conflicting = 0
    if all([chunk == chunks[0] for chunk in chunks]):
        out.append(chunks[0])
        return (len(chunks) - 1) * (sample_count(chunks[0].data) if len(chunks) > 1 else 0), 0
    histograms = []
    memset(&runs, 0, sizeof(runs))
    try:
        _merge(&runs, histograms, chunks, INT64_MIN, INT64_MAX, &duplicate, &conflicting)
        _encode(&runs, histograms, out)
    finally:
        runs_free(&runs)
    return duplicate, conflicting


def decode_range(chunks not None, int64_t mint, int64_t maxt):
    cdef SampleRuns runs
    cdef uint64_t ignored = 0
    histograms = []
    memset(&runs, 0, sizeof(runs))
    try:
        _merge(
            &runs,
            histograms,
            [chunk for chunk in chunks if chunk.mint <= maxt and chunk.maxt >= mint],
            mint,
            maxt,
            &ignored,
            &ignored,
        )
        times, bits = _columns(&runs)
        return Samples(times, bits, _objects(&runs, histograms) if histograms else [])
    finally:
        runs_free(&runs)


cdef int _merge(
    SampleRuns* runs,
    list histograms,
    list chunks,
    int64_t mint,
    int64_t maxt,
    uint64_t* duplicate,
    uint64_t* conflicting,
) except -1:
    """Decodes chunks, priority first, into one run without repeats; `histograms` are what its numbers mean."""
    cdef int status
    cdef size_t known
    for chunk in chunks:
        if chunk.encoding == XOR:
            _add_xor(runs, chunk.data, chunk.mint, chunk.maxt, mint, maxt)
            continue
        known = len(histograms)
        _read_histograms(histograms, chunk.encoding, chunk.data, chunk.mint, chunk.maxt, mint, maxt)
        for number in range(known, len(histograms)):
            if runs_push(runs, histograms[number].t, number, True) < 0:
                raise MemoryError
        if runs_end(runs) < 0:
            raise MemoryError
    with nogil:
        status = runs_sort(runs)
        if status == 0:
            _keep_first(runs, histograms, duplicate, conflicting)
    if status < 0:
        raise MemoryError
    return 0


cdef int _keep_first(
    SampleRuns* runs, list histograms, uint64_t* duplicate, uint64_t* conflicting
) except -1 nogil:
    """Of each time keeps the first sample, and counts what the others were."""
    cdef size_t i
    cdef size_t n = 0
    cdef const Sample* kept
    cdef const Sample* sample
    cdef bint same
    for i in range(runs.count):
        sample = &runs.items[i]
        if n and runs.items[n - 1].t == sample.t:
            kept = &runs.items[n - 1]
            if kept.histogram and sample.histogram:
                with gil:
                    same = histograms[kept.value].same_value(histograms[sample.value])
            else:
                same = kept.histogram == sample.histogram and kept.value == sample.value
            duplicate[0] += same
            conflicting[0] += not same
            continue
        runs.items[n] = sample[0]
        n += 1
    runs.count = n
    return 0


cdef int _encode(const SampleRuns* runs, list histograms, list out) except -1:
    """Appends the chunks of a merged run, each stretch of floats or of histograms by itself."""
    cdef size_t start = 0
    cdef size_t end
    cdef SampleRuns stretch
    memset(&stretch, 0, sizeof(stretch))
    while start < runs.count:
        end = start + 1
        while end < runs.count and runs.items[end].histogram == runs.items[start].histogram:
            end += 1
        stretch.items = &runs.items[start]  # borrowed: a view, never freed
        stretch.count = end - start
        if runs.items[start].histogram:
            out.extend(encode_histograms(_objects(&stretch, histograms)))
        else:
            out.extend(encode_floats(*_columns(&stretch)))
        start = end
    return 0
