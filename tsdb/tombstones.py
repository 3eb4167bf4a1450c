"""The `tombstones` file: deleted stretches of series. Source: docs/formats.md, "Tombstones file"."""

from collections.abc import Iterable, Mapping

from tsdb.crc32c import crc32c
from tsdb.errors import CorruptBlock
from tsdb.uvarint import encode_uvarint, encode_varint

Intervals = list[tuple[int, int]]
"""Closed stretches of time in ms, ascending, neither overlapping nor adjacent."""

_HEADER = bytes.fromhex("0130ba30 01")
_CRC_BYTES = 4


def merge_intervals(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """Joins what overlaps, touches or is 1 ms apart."""
    merged: Intervals = []
    for mint, maxt in sorted(intervals):
        if merged and mint <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], maxt))
        else:
            merged.append((mint, maxt))
    return merged


def encode(tombstones: Mapping[int, Intervals]) -> bytes:
    """Series ids (index offset / 16) to what is deleted of them."""
    records = bytearray()
    for series in sorted(tombstones):
        for mint, maxt in tombstones[series]:
            records += encode_uvarint(series) + encode_varint(mint) + encode_varint(maxt)
    return _HEADER + records + crc32c(records).to_bytes(_CRC_BYTES)


def decode(data: bytes) -> dict[int, Intervals]:
    """The reverse, intervals merged; raises CorruptBlock."""
    if len(data) < len(_HEADER) + _CRC_BYTES or data[: len(_HEADER)] != _HEADER:
        raise CorruptBlock(f"tombstones have a wrong header: bytes={data[:8].hex()}")
    records = data[len(_HEADER) : -_CRC_BYTES]
    if crc32c(records) != int.from_bytes(data[-_CRC_BYTES:]):
        raise CorruptBlock("tombstones fail their checksum")
    found: dict[int, Intervals] = {}
    position = 0
    while position < len(records):
        series, position = _get_uvarint(records, position)
        mint, position = _get_uvarint(records, position)
        maxt, position = _get_uvarint(records, position)
        interval = (_unzigzag(mint), _unzigzag(maxt))
        if interval[0] > interval[1]:
            raise CorruptBlock(f"tombstones hold a reversed interval: mint={interval[0]} maxt={interval[1]}")
        found.setdefault(series, []).append(interval)
    return {series: merge_intervals(intervals) for series, intervals in found.items()}


def _get_uvarint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position == len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 1 << 64:
            return value, position
    raise CorruptBlock(f"tombstones hold a broken number: position={position}")


def _unzigzag(raw: int) -> int:
    return raw >> 1 ^ -(raw & 1)
