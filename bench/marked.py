"""Requests that can be told apart in the log, for the price of a few bytes.

A marker series is put behind a body that was compressed before, as one more literal of the snappy block: its length is
the sum, and the rest stays. Records hold label values as they came, so whoever reads the log finds the numbers.
"""

import re
import struct
import time
from collections.abc import Iterator

import cramjam

from bench.load import Load, bodies
from tests.wire.labels_oracle import canonical, text_field, varint

_LITERAL_OF_ONE_LENGTH_BYTE = 60 << 2
_DIGITS = 12
MARK = re.compile(rb"bench-request-(\d{%d})" % _DIGITS)


def _marker(number: int) -> bytes:
    pairs = [(b"__name__", b"bench_request"), (b"number", b"bench-request-%0*d" % (_DIGITS, number))]
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(time.time_ns() // 1_000_000)
    return text_field(1, canonical(pairs) + text_field(2, sample))


class Marked:
    """Bodies of one scrape after the other, from a stock of them; each with the next number."""

    def __init__(self, load: Load) -> None:
        self.samples_per_request = load.samples_per_request + 1
        stock = list(bodies(load, time.time_ns() // 1_000_000))
        self._stock = [(_decompressed_size(body), body[len(varint(_decompressed_size(body))) :]) for body in stock]
        self._next = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self

    def __next__(self) -> tuple[int, bytes]:
        """The request's number, and its compressed body."""
        number = self._next
        self._next += 1
        size, elements = self._stock[number % len(self._stock)]
        marker = _marker(number)
        literal = bytes([_LITERAL_OF_ONE_LENGTH_BYTE, len(marker) - 1]) + marker
        return number, varint(size + len(marker)) + elements + literal


def _decompressed_size(body: bytes) -> int:
    return int(cramjam.snappy.decompress_raw_len(body))
