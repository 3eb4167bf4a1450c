"""A native histogram as `prometheus.Histogram` bytes, for answers; field numbers in docs/formats.md."""

import struct
from collections.abc import Iterable, Sequence

from tsdb.chunks import Histogram
from tsdb.uvarint import encode_uvarint, encode_varint


def _number(field: int, value: int) -> bytes:
    return encode_uvarint(field << 3) + encode_uvarint(value)


def _bits(field: int, bits: int) -> bytes:
    """A double by its bit pattern: a signalling NaN stays one."""
    return encode_uvarint(field << 3 | 1) + struct.pack("<Q", bits)


def _payload(field: int, data: bytes) -> bytes:
    return encode_uvarint(field << 3 | 2) + encode_uvarint(len(data)) + data


def _spans(field: int, spans: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(
        _payload(field, b"\x08" + encode_varint(offset) + b"\x10" + encode_uvarint(length)) for offset, length in spans
    )


def _packed_bits(field: int, values: Sequence[int]) -> bytes:
    return _payload(field, struct.pack(f"<{len(values)}Q", *values)) if values else b""


def _packed_deltas(field: int, values: Sequence[int]) -> bytes:
    return _payload(field, b"".join(map(encode_varint, values))) if values else b""


def encode_histogram(h: Histogram) -> bytes:
    """The message without its own tag and length."""
    count, zero = (
        (_bits(2, h.count), _bits(7, h.zero_count)) if h.is_float else (_number(1, h.count), _number(6, h.zero_count))
    )
    buckets, field_of_negative, field_of_positive = (_packed_bits, 10, 13) if h.is_float else (_packed_deltas, 9, 12)
    custom = struct.pack(f"<{len(h.custom_values)}d", *h.custom_values)
    return b"".join(
        (
            count,
            _bits(3, h.sum_bits),
            b"\x20" + encode_varint(h.schema),
            b"\x29" + struct.pack("<d", h.zero_threshold),
            zero,
            _spans(8, h.negative_spans),
            buckets(field_of_negative, h.negative_buckets),
            _spans(11, h.positive_spans),
            buckets(field_of_positive, h.positive_buckets),
            _number(14, h.reset_hint),
            _number(15, h.t & 0xFFFFFFFFFFFFFFFF),
            _payload(16, custom) if custom else b"",
        )
    )
