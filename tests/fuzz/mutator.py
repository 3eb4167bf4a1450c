"""Hostile bytes out of good ones: a seeded mutator that knows what varints and lengths look like."""

import random
from collections.abc import Sequence

MAX_BYTES = 4096
_VARINTS = [
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80\x00",
    b"\xff\xff\xff\xff\x0f",
    b"\xff" * 9 + b"\x01",
    b"\xff" * 10,
    b"\x80" * 11,
]
_TAGS = bytes([0x0A, 0x12, 0x1A, 0x22, 0x09, 0x10, 0x08, 0x0B, 0x0C, 0x0D, 0x42, 0x48, 0x58, 0x5A, 0x62, 0x82, 0x00])
_BYTES = bytes([0x00, 0x01, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF])


class Mutator:
    """`of(corpus)` gives the next input; the same seed and corpus give the same inputs."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._ways = [self._flip, self._set, self._varint, self._cut, self._drop, self._double, self._splice, self._tag]

    def of(self, corpus: Sequence[bytes]) -> bytes:
        data = bytearray(self._random.choice(corpus))
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 3, 5, 8))):
            self._random.choice(self._ways)(data, corpus)
        return bytes(data[:MAX_BYTES])

    def _at(self, data: bytearray) -> int:
        return self._random.randrange(len(data) + 1)

    def _range(self, data: bytearray) -> slice:
        start = self._at(data)
        return slice(start, start + self._random.choice((1, 2, 4, 8, 16, 64, 300)))

    def _flip(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _set(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        if data:
            data[self._random.randrange(len(data))] = self._random.choice(_BYTES)

    def _varint(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        at = self._at(data)
        data[at : at + self._random.choice((0, 1, 2))] = self._random.choice(_VARINTS)

    def _tag(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        at = self._at(data)
        data[at : at + self._random.choice((0, 1))] = bytes([self._random.choice(_TAGS)])

    def _cut(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        del data[self._at(data) :]

    def _drop(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        del data[self._range(data)]

    def _double(self, data: bytearray, _corpus: Sequence[bytes]) -> None:
        at = self._at(data)
        data[at:at] = data[self._range(data)]

    def _splice(self, data: bytearray, corpus: Sequence[bytes]) -> None:
        other = bytearray(self._random.choice(corpus))
        data[self._range(data)] = other[self._range(other)]
