"""Chunk coders that write and read one bit at a time, as strings of 0 and 1; made from docs/formats.md alone."""

from __future__ import annotations

import struct
from typing import NamedTuple

from tsdb.native_histogram import HINT_GAUGE, HINT_NOT_RESET, HINT_UNKNOWN, Histogram

U64 = (1 << 64) - 1
STALE = 0x7FF0000000000002


def signed(value: int) -> int:
    """An int64 of the same 64 bits."""
    value &= U64
    return value - (1 << 64) if value >> 63 else value


def binary(value: int, width: int) -> str:
    return format(value & ((1 << width) - 1), f"0{width}b") if width else ""


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def uvarint(value: int) -> str:
    groups = []
    while True:
        groups.append(value & 0x7F)
        value >>= 7
        if not value:
            break
    return "".join(binary(group | (0x80 if i < len(groups) - 1 else 0), 8) for i, group in enumerate(groups))


def varint(value: int) -> str:
    return uvarint(2 * value if value >= 0 else -2 * value - 1)


VARBIT = (("0", 0), ("10", 3), ("110", 6), ("1110", 9), ("11110", 12), ("111110", 18), ("1111110", 25))
VARBIT_LONG = (("11111110", 56), ("11111111", 64))


def varbit(value: int) -> str:
    for prefix, width in (*VARBIT, *VARBIT_LONG):
        if width == 64 or (value == 0 if width == 0 else -(1 << (width - 1)) < value <= 1 << (width - 1)):
            return prefix + binary(value, width)
    raise AssertionError


def uvarbit(value: int) -> str:
    for prefix, width in (*VARBIT, *VARBIT_LONG):
        if value < 1 << width:
            return prefix + binary(value, width)
    raise AssertionError


class Window:
    """The xor-value coder's state."""

    def __init__(self) -> None:
        self.window: tuple[int, int] | None = None

    def write(self, value: int, previous: int) -> str:
        x = binary(value ^ previous, 64)
        if "1" not in x:
            return "0"
        lead, trail = min(x.index("1"), 31), 63 - x.rindex("1")
        if self.window and lead >= self.window[0] and trail >= self.window[1]:
            return "10" + x[self.window[0] : 64 - self.window[1]]
        self.window = (lead, trail)
        return "11" + binary(lead, 5) + binary(64 - lead - trail, 6) + x[lead : 64 - trail]

    def read(self, stream: Stream, previous: int) -> int:
        if stream.take(1) == "0":
            return previous
        if stream.take(1) == "1":
            lead = int(stream.take(5), 2)
            self.window = (lead, 64 - lead - (int(stream.take(6), 2) or 64))
        assert self.window
        lead, trail = self.window
        return previous ^ (int(stream.take(64 - lead - trail), 2) << trail)


class Stream:
    def __init__(self, data: bytes) -> None:
        self.bits = "".join(binary(byte, 8) for byte in data)
        self.at = 0

    def take(self, width: int) -> str:
        assert self.at + width <= len(self.bits), "read behind the end"
        self.at += width
        return self.bits[self.at - width : self.at]

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = int(self.take(8), 2)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def uvarbit(self) -> int:
        value, _ = self._varbit()
        return value

    def varbit(self) -> int:
        value, width = self._varbit()
        if width == 64:
            return signed(value)
        return value - (1 << width) if width and value > 1 << (width - 1) else value

    def _varbit(self) -> tuple[int, int]:
        prefix = self.take(1)
        while prefix[-1] == "1" and len(prefix) < 8:
            prefix += self.take(1)
        width = dict((*VARBIT, *VARBIT_LONG))[prefix]
        return int(self.take(width) or "0", 2), width


FloatSample = tuple[int, int]


def encode_xor(samples: list[FloatSample]) -> bytes:
    """All samples, (time, bits of the value), into one chunk."""
    bits = binary(len(samples), 16)
    window = Window()
    for i, (t, v) in enumerate(samples):
        if i == 0:
            bits += varint(t) + binary(v, 64)
            continue
        delta = t - samples[i - 1][0]
        if i == 1:
            bits += uvarint(delta)
        else:
            dod = signed(signed(delta) - signed(samples[i - 1][0] - samples[i - 2][0]))
            if dod == 0:
                bits += "0"
            elif -8191 <= dod <= 8192:
                bits += "10" + binary(dod, 14)
            elif -65535 <= dod <= 65536:
                bits += "110" + binary(dod, 17)
            elif -524287 <= dod <= 524288:
                bits += "1110" + binary(dod, 20)
            else:
                bits += "1111" + binary(dod, 64)
        bits += window.write(v, samples[i - 1][1])
    return packed(bits)


def decode_xor(data: bytes) -> list[FloatSample]:
    stream = Stream(data)
    out: list[FloatSample] = []
    window = Window()
    delta = t = v = 0
    for i in range(int(stream.take(16), 2)):
        if i == 0:
            raw = stream.uvarint()
            t, v = raw >> 1 if raw % 2 == 0 else -(raw >> 1) - 1, int(stream.take(64), 2)
        else:
            if i == 1:
                delta = stream.uvarint()
            else:
                ones = 0
                while ones < 4 and stream.take(1) == "1":
                    ones += 1
                width = (0, 14, 17, 20, 64)[ones]
                dod = int(stream.take(width) or "0", 2)
                delta += dod - (1 << width) if 0 < width < 64 and dod > 1 << (width - 1) else dod
            t, v = signed(t + delta), window.read(stream, v)
        out.append((t, v))
    return out


class Layout(NamedTuple):
    threshold: float
    schema: int
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]]
    custom: tuple[float, ...]


def spans_of(indices: set[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    end = 0
    for index in sorted(indices):
        if spans and index == end:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((index - end, 1))
        end = index + 1
    return spans


def indices_of(spans: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> list[int]:
    out: list[int] = []
    at = 0
    for offset, length in spans:
        at += offset
        out += range(at, at + length)
        at += length
    return out


def written_layout(layout: Layout) -> str:
    raw = struct.unpack(">Q", struct.pack(">d", layout.threshold))[0]
    powers = {struct.pack(">d", 2.0 ** (code - 244)): code for code in range(1, 255)}
    if raw == 0:
        bits = binary(0, 8)
    elif (code := powers.get(struct.pack(">d", layout.threshold))) is not None:
        bits = binary(code, 8)
    else:
        bits = binary(255, 8) + binary(raw, 64)
    bits += varbit(layout.schema)
    for side in layout.sides:
        bits += uvarbit(len(side)) + "".join(uvarbit(length) + varbit(offset) for offset, length in side)
    if layout.schema == -53:
        bits += uvarbit(len(layout.custom))
        for bound in layout.custom:
            pattern = struct.unpack(">Q", struct.pack(">d", bound))[0]
            if pattern >> 63 == 0 and bound * 1000 <= 33554430 and round(bound * 1000) / 1000 == bound:
                bits += uvarbit(round(bound * 1000) + 1)
            else:
                bits += "0" + binary(pattern, 64)
    return bits


def buckets_in(sample: Histogram, layout: Layout) -> list[int]:
    """The sample's buckets as the chunk holds them: absolute for floats, differences for integers."""
    out = []
    for negative in (False, True):
        counts = sample.absolute(negative=negative)
        previous = 0
        for index in indices_of(layout.sides[negative]):
            value = counts.get(index, 0)
            out.append(value if sample.is_float else signed(value - previous))
            previous = value
    return out


def encode_histogram_chunk(samples: list[Histogram], header: int) -> bytes:
    """All samples into one chunk whose buckets are those of all of them; `header` is the third byte."""
    first = samples[0]
    if first.is_stale:
        layout = Layout(0.0, 0, ([], []), ())
    else:
        sides = [
            spans_of(
                {i for s in samples if not s.is_stale for i in indices_of((s.positive_spans, s.negative_spans)[side])}
            )
            for side in (0, 1)
        ]
        layout = Layout(first.zero_threshold, first.schema, (sides[0], sides[1]), first.custom_values)
    bits = binary(len(samples), 16) + binary(header, 8) + written_layout(layout)
    rows = [
        [0, 0, s.sum_bits] if s.is_stale else [s.count, s.zero_count, s.sum_bits, *buckets_in(s, layout)]
        for s in samples
    ]
    windows = [Window() for _ in range(max(map(len, rows)))]
    deltas = [0] * len(windows)
    time_delta = 0
    for i, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        previous_delta, time_delta = time_delta, 0 if i == 0 else signed(sample.t - samples[i - 1].t)
        bits += varbit(sample.t) if i == 0 else varbit(signed(time_delta - previous_delta))
        for field, value in enumerate(row):
            if i == 0:
                integer = uvarbit if field < 2 else varbit
                bits += binary(value, 64) if first.is_float or field == 2 else integer(value)
            elif first.is_float or field == 2:
                bits += windows[field].write(value, rows[i - 1][field])
            elif sample.is_stale:
                bits += "0"
            else:
                delta = signed(value - rows[i - 1][field])
                bits += varbit(signed(delta - deltas[field]))
                deltas[field] = delta
    return packed(bits)


def read_layout(stream: Stream) -> Layout:
    code = int(stream.take(8), 2)
    threshold = 2.0 ** (code - 244) if code else 0.0
    if code == 255:
        threshold = struct.unpack(">d", packed(stream.take(64)))[0]
    schema = stream.varbit()
    sides = []
    for _ in range(2):
        pairs = [(stream.uvarbit(), stream.varbit()) for _ in range(stream.uvarbit())]
        sides.append([(offset, length) for length, offset in pairs])
    custom = []
    for _ in range(stream.uvarbit() if schema == -53 else 0):
        thousandths = stream.uvarbit()
        custom.append(
            (thousandths - 1) / 1000 if thousandths else struct.unpack(">d", packed(stream.take(64)))[0],
        )
    return Layout(threshold, schema, (sides[0], sides[1]), tuple(custom))


def decode_histogram_chunk(data: bytes, *, is_float: bool) -> list[Histogram]:
    stream = Stream(data)
    total, flag = int(stream.take(16), 2), stream.take(8)
    layout = read_layout(stream)
    split = sum(length for _, length in layout.sides[0])
    buckets = split + sum(length for _, length in layout.sides[1])
    row, deltas = [0] * (3 + buckets), [0] * (3 + buckets)
    windows = [Window() for _ in row]
    t = time_delta = 0
    out: list[Histogram] = []
    for i in range(total):
        if i == 0:
            t = stream.varbit()
        else:
            time_delta = signed(time_delta + stream.varbit())
            t = signed(t + time_delta)
        for field in range(3 + buckets):
            if field == 3 and i and row[2] == STALE:
                break
            if is_float or field == 2:
                row[field] = windows[field].read(stream, row[field]) if i else int(stream.take(64), 2)
            elif i == 0:
                row[field] = stream.uvarbit() if field < 2 else stream.varbit()
            else:
                deltas[field] = signed(deltas[field] + stream.varbit())
                row[field] = (row[field] + deltas[field]) & U64 if field < 2 else signed(row[field] + deltas[field])
        hint = HINT_GAUGE if flag[:2] == "11" else HINT_NOT_RESET if i else HINT_UNKNOWN
        if row[2] == STALE:
            out.append(Histogram(t, is_float, 0, 0.0, STALE, 0, 0, hint, (), (), (), (), ()))
            continue
        values = tuple(row[3:])
        out.append(
            Histogram(
                t, is_float, layout.schema, layout.threshold, row[2], row[0], row[1], hint,
                tuple(layout.sides[0]), tuple(layout.sides[1]), values[:split], values[split:], layout.custom,
            )
        )  # fmt: skip
    return out
