"""One record of a segment file. Source: docs/formats.md, "Segment files"."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tsdb.crc32c cimport crc32c_update
from tsdb.varint cimport be32, get_uvarint

cdef struct ChunkRecord:
    const uint8_t* data
    uint32_t size
    uint8_t encoding

cdef inline int chunk_record(const uint8_t* p, const uint8_t* end, ChunkRecord* out) noexcept nogil:
    """Decodes the record at `p`: 0, -1 where it passes `end`, -2 where its checksum fails."""
    cdef uint64_t size
    p = get_uvarint(p, end, &size)
    if p == NULL or size >> 32 or <uint64_t>(end - p) < size + 5:
        return -1
    out.encoding = p[0]
    out.data = p + 1
    out.size = <uint32_t>size
    return 0 if crc32c_update(0, p, size + 1) == be32(p + 1 + size) else -2
