"""A sorted run of float samples into XOR chunks, inline for kernels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tsdb.chunk_list cimport ChunkList, chunk_list_append
from tsdb.xor cimport SAMPLES_PER_CHUNK, XOR_MAX_SAMPLE_BYTES, XorState, xor_append

cdef inline int encode_floats(
    const int64_t* t, const uint64_t* bits, uint32_t n, ChunkList* out
) noexcept nogil:
    """Appends chunks of SAMPLES_PER_CHUNK samples (the last may hold fewer); `t` strictly ascending.

    -1 where memory ran out; `out` then holds the chunks finished before.
    """
    cdef uint8_t data[XOR_MAX_SAMPLE_BYTES * SAMPLES_PER_CHUNK + 64]
    cdef XorState state
    cdef uint32_t i = 0
    cdef uint32_t end
    cdef int64_t mint
    while i < n:
        end = i + SAMPLES_PER_CHUNK if n - i > SAMPLES_PER_CHUNK else n
        mint = t[i]
        state.count = 0
        while i < end:
            xor_append(data, &state, t[i], bits[i])
            i += 1
        if chunk_list_append(out, 1, mint, t[end - 1], state.count, data, (state.nbits + 7) >> 3) < 0:
            return -1
    return 0
