"""Remote read's messages, as bytes: requests in, sampled answers out. The contract is in remote_read.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from wire.canonical cimport LabelPair, labels_size, write_labels
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_VARINT, read_bytes, read_tag, read_varint, skip_field, varint_size, write_varint
)
from wire.utf8 cimport is_utf8

from typing import NamedTuple

from forebay.errors import InvalidData

EQUAL, NOT_EQUAL, MATCHES, NOT_MATCHES = 0, 1, 2, 3
SAMPLES, STREAMED_XOR_CHUNKS = 0, 1

cdef enum:
    MAX_RESPONSE_TYPES = 16  # there are two


class ReadQuery(NamedTuple):
    start_ms: int
    end_ms: int
    matchers: tuple


class ReadRequest(NamedTuple):
    queries: tuple
    accepted_response_types: tuple


cdef object malformed(str what, const uint8_t* at, const uint8_t* start):
    return InvalidData(f"malformed read request: {what} offset={at - start}")


cdef tuple decode_matcher(Cursor c, const uint8_t* start):
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor text
    cdef int32_t kind = 0
    cdef const uint8_t* at
    name = value = b""
    while c.p < c.end:
        at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            raise malformed("matcher", at, start)
        if field == 1:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                raise malformed("matcher type", at, start)
            kind = <int32_t>raw
        elif field == 2 or field == 3:
            if wire_type != WIRE_BYTES or read_bytes(&c, &text) < 0:
                raise malformed("matcher", at, start)
            if not is_utf8(text.p, text.end - text.p):
                raise malformed("matcher is not utf-8", at, start)
            if field == 2:
                name = text.p[:text.end - text.p]
            else:
                value = text.p[:text.end - text.p]
        elif skip_field(&c, wire_type) < 0:
            raise malformed("matcher", at, start)
    if not EQUAL <= kind <= NOT_MATCHES:
        raise InvalidData(f"unknown matcher type: type={kind} name={name.decode()!r}")
    return kind, name, value


cdef decode_query(Cursor c, const uint8_t* start, uint32_t* matchers_left):
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor matcher
    cdef int64_t start_ms = 0
    cdef int64_t end_ms = 0
    cdef const uint8_t* at
    matchers = []
    while c.p < c.end:
        at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            raise malformed("query", at, start)
        if field == 1 or field == 2:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                raise malformed("query time", at, start)
            if field == 1:
                start_ms = <int64_t>raw
            else:
                end_ms = <int64_t>raw
        elif field == 3:
            if wire_type != WIRE_BYTES or read_bytes(&c, &matcher) < 0:
                raise malformed("matcher", at, start)
            if matchers_left[0] == 0:
                raise InvalidData("too many matchers in a read request", hint="ask in several requests")
            matchers_left[0] -= 1
            matchers.append(decode_matcher(matcher, start))
        elif skip_field(&c, wire_type) < 0:
            raise malformed("query", at, start)
    return ReadQuery(start_ms, end_ms, tuple(matchers))


cdef int decode_response_types(Cursor* c, uint32_t wire_type, list types) except -1:
    """Packed or one by one; 0, or 1 where malformed."""
    cdef Cursor packed
    cdef uint64_t raw
    if wire_type == WIRE_VARINT:
        packed = c[0]
        if read_varint(c, &raw) < 0:
            return 1
        packed.end = c.p
    elif wire_type != WIRE_BYTES or read_bytes(c, &packed) < 0:
        return 1
    while packed.p < packed.end:
        if read_varint(&packed, &raw) < 0:
            return 1
        if <int32_t>raw not in types:
            if len(types) == MAX_RESPONSE_TYPES:
                raise InvalidData(f"too many accepted response types: limit={MAX_RESPONSE_TYPES}")
            types.append(<int32_t>raw)
    return 0


def decode_read_request(const uint8_t[::1] body not None, *, uint32_t max_queries=100, uint32_t max_matchers=1000):
    cdef uint32_t field, wire_type
    cdef Cursor c, query
    cdef const uint8_t* start
    cdef const uint8_t* at
    if body.shape[0] == 0:
        return ReadRequest((), ())
    start = &body[0]
    c.p = start
    c.end = start + body.shape[0]
    queries, types = [], []
    while c.p < c.end:
        at = c.p
        if read_tag(&c, &field, &wire_type) < 0:
            raise malformed("field", at, start)
        if field == 1:
            if wire_type != WIRE_BYTES or read_bytes(&c, &query) < 0:
                raise malformed("query", at, start)
            if len(queries) == max_queries:
                raise InvalidData(f"too many queries in a read request: limit={max_queries}", hint="ask in several")
            queries.append(decode_query(query, start, &max_matchers))
        elif field == 2:
            if decode_response_types(&c, wire_type, types):
                raise malformed("accepted response types", at, start)
        elif skip_field(&c, wire_type) < 0:
            raise malformed("field", at, start)
    return ReadRequest(tuple(queries), tuple(types))


cdef uint32_t sample_size(int64_t timestamp, uint64_t bits) noexcept nogil:
    """Of a Sample message; what is 0 is left out, as proto3 has it, but -0.0 is not 0."""
    return (9 if bits else 0) + (1 + varint_size(<uint64_t>timestamp) if timestamp else 0)


cdef uint64_t samples_size(const int64_t* timestamps, const uint64_t* values, size_t count) noexcept nogil:
    cdef uint64_t size = 0
    cdef size_t i
    for i in range(count):
        size += 2 + sample_size(timestamps[i], values[i])
    return size


cdef uint8_t* write_samples(
    uint8_t* p, const int64_t* timestamps, const uint64_t* values, size_t count
) noexcept nogil:
    cdef size_t i
    for i in range(count):
        p[0] = 0x12
        p[1] = <uint8_t>sample_size(timestamps[i], values[i])
        p += 2
        if values[i]:
            p[0] = 0x09
            memcpy(p + 1, &values[i], 8)  # little endian, as cursor.pxd says
            p += 9
        if timestamps[i]:
            p[0] = 0x10
            p = write_varint(p + 1, <uint64_t>timestamps[i])
    return p


cdef bytes joined_fields(uint8_t tag, messages):
    """Each message as a field with this tag, one behind the other."""
    parts = []
    for message in messages:
        parts.append(field_head(tag, len(message)))
        parts.append(message)
    return b"".join(parts)


cdef bytes field_head(uint8_t tag, uint64_t size):
    cdef uint8_t head[11]
    head[0] = tag
    cdef uint8_t* end = write_varint(head + 1, size)
    return head[:end - head]


cdef bytes encode_labels(labels):
    cdef LabelPair pair
    cdef bytes name, value
    parts = []
    for name, value in labels:
        pair.name = <const uint8_t*>PyBytes_AS_STRING(name)
        pair.value = <const uint8_t*>PyBytes_AS_STRING(value)
        pair.name_size = <uint32_t>len(name)
        pair.value_size = <uint32_t>len(value)
        part = PyBytes_FromStringAndSize(NULL, labels_size(&pair, 1))
        write_labels(<uint8_t*>PyBytes_AS_STRING(part), &pair, 1)
        parts.append(part)
    return b"".join(parts)


def encode_timeseries(
    labels, const int64_t[::1] timestamps not None, const uint64_t[::1] value_bits not None, histograms
):
    cdef size_t count = timestamps.shape[0]
    cdef uint64_t size
    cdef const int64_t* times
    cdef const uint64_t* values
    cdef uint8_t* out
    if count != <size_t>value_bits.shape[0]:
        raise ValueError(f"{count} timestamps for {value_bits.shape[0]} values")
    samples = b""
    if count:
        times, values = &timestamps[0], &value_bits[0]
        with nogil:
            size = samples_size(times, values, count)
        samples = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*>PyBytes_AS_STRING(samples)
        with nogil:
            write_samples(out, times, values, count)
    return encode_labels(labels) + samples + joined_fields(0x22, histograms)


def encode_query_result(timeseries):
    return joined_fields(0x0A, timeseries)


def encode_read_response(results):
    return joined_fields(0x0A, results)
