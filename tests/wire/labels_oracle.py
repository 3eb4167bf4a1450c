"""Canonical labels the slow way."""

from collections.abc import Iterable

Pairs = Iterable[tuple[bytes, bytes]]


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text_field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def label_fields(pairs: Pairs) -> bytes:
    """As given, in this order: canonical only if the pairs are."""
    return b"".join(text_field(1, text_field(1, name) + text_field(2, value)) for name, value in pairs)


def canonical(pairs: Pairs) -> bytes:
    return label_fields(sorted((name, value) for name, value in pairs if value))


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
