"""A record as a row of the embedded log: compressed where that helps, with checksums over everything.

`value_crc` is zlib's CRC-32 over the stored value. `row_crc` is the same over all the rest, `value_crc` too:
little-endian partition u32, offset u64, append time i64, codec u8, value_crc u32, length of key u32, then key, then
headers. Two, so that a record with a damaged value still has its place, append time and tenant.
"""

import struct
import zlib
from typing import Any

import cramjam
import msgspec

from broker.log import Headers, NewRecord, Record
from broker.record import new_headers

COLUMNS = "offset, append_time, key, headers, codec, value_crc, row_crc, value"

RAW = 0
SNAPPY = 1
"""Snappy's block format; on labels, a quarter to a half of the cost of writing the bytes raw."""

_FIELDS = struct.Struct("<IQqBII")
_SMALL = 64  # bytes, below which compression cannot win
_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(Headers).decode

_TEACHING = _encode_headers(new_headers(version=2))[1:]
"""The version's pair, without the number of pairs before it."""

Row = tuple[Any, ...]
"""As in `COLUMNS`. What comes from a damaged file may be of any type."""


def to_row(record: NewRecord, offset: int, append_time: int) -> Row:
    """The row of a new record. Most of an append's CPU is spent here, without the GIL."""
    codec: int = RAW
    value: bytes | cramjam.Buffer = record.value
    if len(value) >= _SMALL:
        compressed = cramjam.snappy.compress_raw(value)
        if len(compressed) * 8 < len(value) * 7:
            codec, value = SNAPPY, compressed
    headers = _encode_headers(record.headers)
    value_crc = zlib.crc32(value)
    row_crc = _row_crc(record.partition, offset, append_time, record.key, headers, codec, value_crc)
    return offset, append_time, record.key, headers, codec, value_crc, row_crc, value


def has_sound_fields(partition: int, row: Row) -> bool:
    """Whether all but the value is as it was written."""
    offset, append_time, key, headers, codec, value_crc, row_crc, _ = row
    if not (type(key) is bytes and type(headers) is bytes):
        return False
    try:
        return bool(_row_crc(partition, offset, append_time, key, headers, codec, value_crc) == row_crc)
    except struct.error:
        return False  # a number is none, or out of its range


def may_teach(headers: object) -> bool:
    """Whether headers as they are stored are those of version 2, whose labels later records may rely on."""
    return type(headers) is bytes and _TEACHING in headers


def value_bytes(row: Row) -> int:
    """The length that the value of a row with sound fields has, or claims to have, once uncompressed."""
    value = row[7]
    if row[4] != SNAPPY or type(value) is not bytes:
        return len(value) if type(value) is bytes else 0
    try:
        return int(cramjam.snappy.decompress_raw_len(value))
    except cramjam.DecompressionError:
        return 0


def to_record(partition: int, row: Row) -> Record:
    """The record of a row with sound fields; `damaged` where its value is not what was written."""
    offset, append_time, key, headers, codec, value_crc, _, value = row
    names = _decode_headers(headers)
    if type(value) is not bytes or zlib.crc32(value) != value_crc:
        return Record(partition, offset, append_time, key, b"", names, "value does not match its checksum")
    if codec == SNAPPY:
        value = bytes(cramjam.snappy.decompress_raw(value))
    elif codec != RAW:
        return Record(partition, offset, append_time, key, b"", names, f"unknown codec {codec}")
    return Record(partition, offset, append_time, key, value, names)


def _row_crc(  # noqa: PLR0917 - the format's fields, in the format's order
    partition: int, offset: int, append_time: int, key: bytes, headers: bytes, codec: int, value_crc: int
) -> int:
    fields = _FIELDS.pack(partition, offset, append_time, codec, value_crc, len(key))
    return zlib.crc32(headers, zlib.crc32(key, zlib.crc32(fields)))
