"""What the series of a load measure, sample after sample."""

import random
import struct
from collections.abc import Callable
from typing import Literal, get_args

from tests.wire.labels_oracle import text_field, varint

Shape = Literal["mixed", "walk", "counter", "ints", "constant", "histogram"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_BUCKETS = 20


def _mixed(slot: int, value: float, chance: random.Random) -> float:
    """Three counters to one noisy gauge; one counter in seven stands still."""
    if slot % 4 == 3:
        return chance.random() * 100
    return value + (slot % 7 and chance.randrange(50))


def _walk(_: int, value: float, chance: random.Random) -> float:
    return value + chance.gauss(0, 1)


def _counter(_: int, value: float, chance: random.Random) -> float:
    return value + chance.random() * 50


def _ints(_: int, value: float, chance: random.Random) -> float:
    return value + chance.randrange(50)


def _constant(_: int, value: float, __: random.Random) -> float:
    return value


NEXT: dict[Shape, Callable[[int, float, random.Random], float]] = {
    "mixed": _mixed,
    "walk": _walk,
    "counter": _counter,
    "ints": _ints,
    "constant": _constant,
}
"""The value after this one, by shape; `histogram` is none of them."""


def _zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


class Histogram:
    """A native histogram of latencies as it grows: integer counts in 20 buckets of schema 3, one span."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._sum = 0.0

    def observe(self, chance: random.Random) -> None:
        for _ in range(8):
            bucket = min(_BUCKETS - 1, int(chance.expovariate(0.3)))
            self._counts[bucket] += 1
            self._sum += 1.09**bucket

    def message(self, time_ms: int) -> bytes:
        """`prometheus.Histogram` of remote-write 1.0, which 2.0 shares."""
        deltas = b"".join(
            _zigzag(count - before) for before, count in zip([0, *self._counts], self._counts, strict=False)
        )
        return b"".join(
            (
                b"\x08" + varint(sum(self._counts)),
                b"\x19" + struct.pack("<d", self._sum),
                b"\x20" + _zigzag(3),
                b"\x29" + struct.pack("<d", 2.0**-128),
                text_field(11, b"\x08" + _zigzag(1) + b"\x10" + varint(_BUCKETS)),
                text_field(12, deltas),
                b"\x78" + varint(time_ms),
            )
        )
