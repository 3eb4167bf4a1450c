"""Series as a test means them, bit for bit, and as either protocol says them."""

import struct
from dataclasses import dataclass
from typing import Final

from tests.wire.labels_oracle import label_fields, text_field, varint
from tests.wire.requests_v2 import Symbols

Labels = list[tuple[bytes, bytes]]
V1: Final = "application/x-protobuf"
V2: Final = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def sample(bits: int, at: int, start: int = 0) -> bytes:
    """A Sample; doubles are given by their bits."""
    return b"\x09" + struct.pack("<Q", bits) + b"\x10" + varint(at) + (b"\x18" + varint(start) if start else b"")


@dataclass(frozen=True)
class Exemplar:
    labels: tuple[tuple[bytes, bytes], ...]
    bits: int
    at: int

    @property
    def rest(self) -> bytes:
        """All but the labels: value and time, which have the same fields over either protocol."""
        return b"\x11" + struct.pack("<Q", self.bits) + b"\x18" + varint(self.at)


@dataclass(frozen=True)
class Said:
    """Metadata of a family."""

    family: bytes
    type: int
    help: bytes = b""
    unit: bytes = b""

    def encode(self) -> bytes:
        parts = [(2, self.family), (4, self.help), (5, self.unit)]
        return b"\x08" + varint(self.type) + b"".join(text_field(number, text) for number, text in parts if text)


@dataclass(frozen=True)
class Series:
    labels: Labels
    samples: tuple[bytes, ...] = ()
    histograms: tuple[bytes, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    said: Said | None = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """As the headers of an answer give them."""
        return len(self.samples), len(self.histograms), len(self.exemplars)

    def record(self) -> bytes:
        """The TimeSeries that a record must hold, whatever protocol it came by, in the order that 2.0 writes it."""
        exemplars = (text_field(3, label_fields(each.labels) + each.rest) for each in self.exemplars)
        elements = [text_field(2, each) for each in self.samples] + [text_field(4, each) for each in self.histograms]
        return label_fields(self.labels) + b"".join(elements) + b"".join(exemplars)


def encode_v1(*entries: Series) -> bytes:
    said = b"".join(text_field(3, entry.said.encode()) for entry in entries if entry.said)
    return b"".join(text_field(1, entry.record()) for entry in entries) + said


def encode_v2(*entries: Series, symbols: Symbols | None = None) -> bytes:
    symbols = symbols or Symbols()

    def refs(labels: Labels | tuple[tuple[bytes, bytes], ...]) -> bytes:
        return text_field(1, b"".join(varint(symbols.ref(text)) for pair in labels for text in pair))

    made = []
    for entry in entries:
        parts = [refs(entry.labels)]
        parts += [text_field(2, each) for each in entry.samples]
        parts += [text_field(3, each) for each in entry.histograms]
        parts += [text_field(4, refs(each.labels) + each.rest) for each in entry.exemplars]
        if entry.said:
            said = b"\x08" + varint(entry.said.type) + b"\x18" + varint(symbols.ref(entry.said.help))
            parts.append(text_field(5, said + b"\x20" + varint(symbols.ref(entry.said.unit))))
        made.append(text_field(5, b"".join(parts)))
    return b"".join(text_field(4, text) for text in symbols.texts) + b"".join(made)


def encode(protocol: str, *entries: Series) -> bytes:
    return encode_v2(*entries) if protocol == V2 else encode_v1(*entries)
