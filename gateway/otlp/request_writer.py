"""Writes the bytes of a remote-write 2.0 request (`io.prometheus.write.v2.Request`).

Fields are in docs/formats.md. Written by hand because protobuf's objects would cost as much again as reading the
points does.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.otlp.exemplars import TranslatedExemplar
from gateway.otlp.histograms import Buckets, NativeHistogram

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The value of a series that ended, as `double` gives others."""
GAUGE_HINT = 3
_MAX_UINT64 = (1 << 64) - 1
double = struct.Struct("<d").pack


class Times(NamedTuple):
    """Of a data point, in ms; start is 0 where the sender does not say."""

    start: int
    at: int


class Metadata(NamedTuple):
    type: int
    help: str
    unit: str


def varint(value: int) -> bytes:
    """Of 64 bits; a negative value is its two's complement."""
    if 0 <= value < _SHORT:
        return _short[value]
    return _varint(value & _MAX_UINT64)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SHORT = 4096
_short = [_varint(value) for value in range(_SHORT)]
"""Most lengths, references and differences of buckets: made once."""


def _zigzag(value: int) -> bytes:
    return varint((value << 1) ^ (value >> 63))


def _field(key: bytes, content: bytes) -> bytes:
    return key + varint(len(content)) + content


class _Symbols(dict[str, bytes]):
    """Each string's reference; the first use of a string gives it one."""

    def __init__(self) -> None:
        self.encoded = [b"\x22\x00"]  # symbols[0] is the empty string
        self[""] = b"\x00"
        self.size = 2

    def __missing__(self, symbol: str) -> bytes:
        entry = _field(b"\x22", symbol.encode())
        self.encoded.append(entry)
        self.size += len(entry)
        reference = self[symbol] = varint(len(self))
        return reference


class RequestWriter:
    """Collects series; `take` gives them as one message and begins the next."""

    def __init__(self) -> None:
        self._symbols = _Symbols()
        self._series: list[bytes] = []
        self._samples: dict[Times, tuple[bytes, bytes]] = {}
        self._size = 0
        self._written_out = 0

    @property
    def size(self) -> int:
        """Bytes of the message so far, and of the labels that records of the log repeat where it refers to them."""
        return self._size + self._symbols.size + self._written_out

    def references(self, labels: Mapping[str, str], series: int = 1) -> bytes:
        """Labels as the methods below want them, for so many series; may be joined, and hold until `take` is called."""
        reference = self._symbols
        self._written_out += series * (sum(map(len, labels)) + sum(map(len, labels.values())))
        return b"".join([reference[symbol] for pair in labels.items() for symbol in pair])

    def pair(self, name: str, value: str) -> bytes:
        """As `references`, for one short label more."""
        return self._symbols[name] + self._symbols[value]

    def sample(
        self,
        labels: bytes,
        times: Times,
        value: bytes,
        exemplars: Sequence[TranslatedExemplar] = (),
        metadata: Metadata | None = None,
    ) -> None:
        """A series of one sample, whose value is a double's eight bytes."""
        around = self._samples.get(times)
        if around is None:
            tail = b"\x10" + varint(times.at)
            if times.start:
                tail += b"\x18" + varint(times.start)
            around = self._samples[times] = (b"\x12" + varint(9 + len(tail)) + b"\x09", tail)
        head, tail = around
        self._add(labels, head + value + tail, exemplars, metadata)

    def samples(self, labels: bytes, times: Iterable[int], value: float, metadata: Metadata) -> None:
        """A series of one value at several times, in ms."""
        encoded = double(value)
        self._add(
            labels, b"".join(_field(b"\x12", b"\x09" + encoded + b"\x10" + varint(at)) for at in times), (), metadata
        )

    def histogram(
        self,
        labels: bytes,
        times: Times,
        histogram: NativeHistogram | None,
        *,
        hint: int = 0,
        exemplars: Sequence[TranslatedExemplar] = (),
        metadata: Metadata | None = None,
    ) -> None:
        """A series of one native histogram, or of the marker that it ended."""
        content = b"\x08\x00\x19" + STALE if histogram is None else _histogram(histogram)
        content += b"\x70" + varint(hint) + b"\x78" + varint(times.at)
        if times.start:
            content += b"\x88\x01" + varint(times.start)
        self._add(labels, _field(b"\x1a", content), exemplars, metadata)

    def take(self) -> bytes:
        """All that was added since the last call."""
        message = b"".join((*self._symbols.encoded, *self._series))
        self._symbols, self._series = _Symbols(), []
        self._size = self._written_out = 0
        self._samples.clear()
        return message

    def __bool__(self) -> bool:
        return bool(self._series)

    def _add(
        self,
        labels: bytes,
        element: bytes,
        exemplars: Sequence[TranslatedExemplar],
        metadata: Metadata | None,
    ) -> None:
        content = b"\x0a" + varint(len(labels)) + labels + element
        if exemplars:
            content += b"".join([self._exemplar(exemplar) for exemplar in exemplars])
        if metadata is not None:
            content += _field(
                b"\x2a",
                b"\x08"
                + varint(metadata.type)
                + b"\x18"
                + self._symbols[metadata.help]
                + b"\x20"
                + self._symbols[metadata.unit],
            )
        entry = b"\x2a" + varint(len(content)) + content
        self._series.append(entry)
        self._size += len(entry)

    def _exemplar(self, exemplar: TranslatedExemplar) -> bytes:
        references = self.references(exemplar.labels)
        labels = _field(b"\x0a", references) if references else b""
        return _field(b"\x22", labels + b"\x11" + double(exemplar.value) + b"\x18" + varint(exemplar.milliseconds))


def _histogram(histogram: NativeHistogram) -> bytes:
    parts = [
        b"\x08" + varint(histogram.total),
        b"\x19" + double(histogram.sum),
        b"\x20" + _zigzag(histogram.schema),
        b"\x29" + double(histogram.zero_threshold),
        b"\x30" + varint(histogram.zero_count),
        *_side(b"\x42", b"\x4a", histogram.negative),
        *_side(b"\x5a", b"\x62", histogram.positive),
    ]
    if histogram.custom_values:
        bounds = struct.pack(f"<{len(histogram.custom_values)}d", *histogram.custom_values)
        parts.append(_field(b"\x82\x01", bounds))
    return b"".join(parts)


def _side(span_key: bytes, delta_key: bytes, buckets: Buckets) -> Iterable[bytes]:
    for offset, length in buckets.spans:
        yield _field(span_key, b"\x08" + _zigzag(offset) + b"\x10" + varint(length))
    if buckets.deltas:
        yield _field(delta_key, b"".join([_zigzag(delta) for delta in buckets.deltas]))
