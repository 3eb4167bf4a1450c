"""Records of version 2 the slow way: docs/formats.md, "Record, version 2", one step behind the other."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import mmh3

from tests.wire.labels_oracle import canonical, text_field, varint
from tests.wire.messages import TimeSeries

LABEL_WINDOW_MS = 450_000
_WRAP = 1 << 64
_ORDER = {1: 1, 3: 1, 5: 2, 6: 3, 7: 4}
"""Where fields stand, by number."""


class Row(NamedTuple):
    """One float sample of a series that has no other in its entry."""

    hash: bytes
    timestamp: int
    bits: int
    """Of the value."""


class RecordV2(NamedTuple):
    labelled: tuple[bytes, ...] = ()
    """Serialised TimeSeries, as in version 1."""
    metadata: tuple[bytes, ...] = ()
    label_window: int | None = None
    hashed: tuple[tuple[bytes, bytes], ...] = ()
    """Hash and serialised TimeSeries without labels."""
    rows: tuple[Row, ...] = ()


class Malformed(ValueError):
    """No record of version 2."""


def encode(record: RecordV2) -> bytes:
    out = b"".join(text_field(1, entry) for entry in record.labelled)
    out += b"".join(text_field(3, entry) for entry in record.metadata)
    if record.label_window is not None:
        out += varint(5 << 3) + varint(record.label_window)
    for hashed, elements in record.hashed:
        out += text_field(6, text_field(15, hashed) + elements)
    if record.rows:
        out += text_field(7, encode_rows(record.rows))
    return out


def encode_rows(rows: tuple[Row, ...]) -> bytes:
    out = varint(len(rows)) + b"".join(row.hash for row in rows)
    before = 0
    for row in rows:
        delta = (row.timestamp - before + (1 << 63)) % _WRAP - (1 << 63)
        out += varint((delta << 1 ^ delta >> 63) % _WRAP)
        before = row.timestamp
    values = [struct.pack("<Q", row.bits) for row in rows]
    return out + b"".join(bytes(value[k] for value in values) for k in range(8))


def decode(value: bytes) -> RecordV2:
    """Raises Malformed; entries themselves are not looked into, but for their hash."""
    found: dict[int, list[Any]] = {number: [] for number in _ORDER}
    last = 0
    for number, content in fields(value):
        if number not in _ORDER:
            continue
        if _ORDER[number] < last or (number in {5, 7} and found[number]):
            raise Malformed("fields are out of order, or repeated")
        if isinstance(content, int) != (number == 5):
            raise Malformed("wrong wire type")
        last = _ORDER[number]
        found[number].append(content)
    if any(not 0 < window < 1 << 60 for window in found[5]) or (not found[5] and (found[6] or found[7])):
        raise Malformed("no label window")
    if any(content[:2] != b"\x7a\x10" or len(content) < 18 for content in found[6]):
        raise Malformed("entry does not begin with its hash")
    return RecordV2(
        tuple(found[1]),
        tuple(found[3]),
        found[5][0] if found[5] else None,
        tuple((content[2:18], content[18:]) for content in found[6]),
        decode_rows(found[7][0]) if found[7] else (),
    )


def decode_rows(content: bytes) -> tuple[Row, ...]:
    count, at = read_uvarint(content, 0)
    if not count or count * 25 > len(content):  # a row takes 16 + 1 + 8 bytes at least
        raise Malformed("not as many rows as it says")
    hashes = [content[at + 16 * i : at + 16 * i + 16] for i in range(count)]
    at += 16 * count
    times = []
    time = 0
    for _ in range(count):
        zigzag, at = read_uvarint(content, at)
        time += zigzag >> 1 ^ -(zigzag & 1)
        time = (time + (1 << 63)) % _WRAP - (1 << 63)
        times.append(time)
    if len(content) - at != 8 * count:
        raise Malformed("not as many values as rows")
    planes = content[at:]
    bits = [sum(planes[k * count + i] << 8 * k for k in range(8)) for i in range(count)]
    return tuple(Row(*row) for row in zip(hashes, times, bits, strict=True))


def hash_of(labels: bytes, seed: int) -> bytes:
    """Of canonical label bytes."""
    return struct.pack("<QQ", *mmh3.hash64(labels, seed, signed=False))


def taught(record: RecordV2, seed: int) -> dict[bytes, bytes]:
    """The labels, canonical, that a record teaches, by their hash."""
    labels = [
        canonical((label.name, label.value) for label in TimeSeries.FromString(entry).labels)
        for entry in record.labelled
    ]
    return {hash_of(each, seed): each for each in labels}


def written_out(record: RecordV2, known: Mapping[bytes, bytes], seed: int) -> bytes:
    """The value of version 1 that says the same; raises KeyError where a hash does not resolve."""
    all_known = {**known, **taught(record, seed)}
    out = b"".join(text_field(1, entry) for entry in record.labelled)
    out += b"".join(text_field(3, entry) for entry in record.metadata)
    for hashed, elements in record.hashed:
        out += text_field(1, all_known[hashed] + elements)
    for row in record.rows:
        sample = b"\x09" + struct.pack("<Q", row.bits) + b"\x10" + varint(row.timestamp % _WRAP)
        out += text_field(1, all_known[row.hash] + text_field(2, sample))
    return out


def read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    """The value, within 64 bits, and where it ends."""
    value = 0
    for i in range(10):
        if at + i >= len(data):
            raise Malformed("cut off")
        value |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            if value >= _WRAP:
                break
            return value, at + i + 1
    raise Malformed("overlong varint")


def fields(value: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers with what they hold; fixed-width ones as bytes."""
    at = 0
    while at < len(value):
        tag, at = read_uvarint(value, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise Malformed("no such field number")
        if wire_type == 0:
            content, at = read_uvarint(value, at)
            yield number, content
            continue
        if wire_type not in {1, 2, 5}:
            raise Malformed("no such wire type")
        size = {1: 8, 5: 4}.get(wire_type)
        if size is None:
            size, at = read_uvarint(value, at)
        if at + size > len(value):
            raise Malformed("cut off")
        yield number, value[at : at + size]
        at += size
