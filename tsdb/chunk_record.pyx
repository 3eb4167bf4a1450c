from libc.stdint cimport uint8_t, uint64_t

from tsdb.varint cimport get_uvarint

from tsdb.errors import CorruptBlock

def record_size(const uint8_t[::1] data not None):
    cdef uint64_t size = 0
    cdef const uint8_t* p = NULL
    if data.shape[0]:
        p = get_uvarint(&data[0], &data[0] + data.shape[0], &size)
    if p == NULL or size >> 32:
        raise CorruptBlock("chunk record has no length")
    return (p - &data[0]) + <object>size + 5

def read_record(const uint8_t[::1] data not None):
    cdef ChunkRecord record
    cdef int status = -1
    if data.shape[0]:
        status = chunk_record(&data[0], &data[0] + data.shape[0], &record)
    if status == -1:
        raise CorruptBlock("chunk record is cut short")
    if status == -2:
        raise CorruptBlock("chunk record fails its checksum")
    return record.encoding, (<const char*>record.data)[:record.size]
