"""A head the slow way: a dict, protobuf's own decoder, and the rule that the first of a time wins.

Blocks are read back series by series as docs/formats.md has them, without postings.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from consumers.head import Bounds, Counts
from tests.tsdb.chunk_oracle import decode_histogram_chunk, decode_xor, encode_xor
from tests.wire.messages import WriteRequest
from tsdb.chunk import ENCODING_XOR, Chunk, Labels
from tsdb.native_histogram import STALE_BITS, Histogram

STALE = STALE_BITS
Sample = tuple[int, int | Histogram]
"""A time, and the bits of a float or a histogram."""


class Entry(NamedTuple):
    labels: Labels
    samples: Sequence[Sample]


def bits_of(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def float_of(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


def named(**labels: str) -> Labels:
    pairs = {"__name__": "up", **labels}
    return tuple(sorted((name.encode(), value.encode()) for name, value in pairs.items()))


def _put_histogram(message: Any, h: Histogram) -> None:
    message.timestamp = h.t
    message.sum = float_of(h.sum_bits)
    message.schema = h.schema
    message.zero_threshold = h.zero_threshold
    message.reset_hint = h.reset_hint
    message.custom_values.extend(h.custom_values)
    for side, spans in (("positive", h.positive_spans), ("negative", h.negative_spans)):
        for offset, length in spans:
            getattr(message, f"{side}_spans").add(offset=offset, length=length)
    if h.is_float:
        message.count_float = float_of(h.count)
        message.zero_count_float = float_of(h.zero_count)
        message.positive_counts.extend(map(float_of, h.positive_buckets))
        message.negative_counts.extend(map(float_of, h.negative_buckets))
    else:
        message.count_int = h.count
        message.zero_count_int = h.zero_count
        message.positive_deltas.extend(h.positive_buckets)
        message.negative_deltas.extend(h.negative_buckets)


def _get_histogram(message: Any) -> Histogram:
    is_float = message.WhichOneof("count") == "count_float"
    sides = ("positive", "negative")
    spans = [tuple((span.offset, span.length) for span in getattr(message, f"{side}_spans")) for side in sides]
    if is_float:
        buckets = [tuple(map(bits_of, getattr(message, f"{side}_counts"))) for side in sides]
    else:
        buckets = [tuple(getattr(message, f"{side}_deltas")) for side in sides]
    return Histogram(
        t=message.timestamp,
        is_float=is_float,
        schema=message.schema,
        zero_threshold=message.zero_threshold,
        sum_bits=bits_of(message.sum),
        count=bits_of(message.count_float) if is_float else message.count_int,
        zero_count=bits_of(message.zero_count_float) if is_float else message.zero_count_int,
        reset_hint=message.reset_hint,
        positive_spans=spans[0],
        negative_spans=spans[1],
        positive_buckets=buckets[0],
        negative_buckets=buckets[1],
        custom_values=tuple(message.custom_values),
    )


def record(entries: Iterable[Entry], *, exemplars: int = 0, metadata: int = 0) -> bytes:
    """A record as a gateway writes it; within an entry floats come before histograms."""
    request = WriteRequest()
    for labels, samples in entries:
        series = request.timeseries.add()
        for name, value in labels:
            series.labels.add(name=name, value=value)
        for t, sample in samples:
            if isinstance(sample, Histogram):
                _put_histogram(series.histograms.add(), sample._replace(t=t))
            else:
                series.samples.add(timestamp=t, value=float_of(sample))
        for _ in range(exemplars):
            series.exemplars.add(value=1.0, timestamp=5)
    for _ in range(metadata):
        request.metadata.add(type=1, metric_family_name=b"up")
    data: bytes = request.SerializeToString()
    return data


@dataclass
class Oracle:
    window_ms: int
    bounds: Bounds
    windows: list[int] = field(default_factory=list)
    series: dict[Labels, dict[int, int | Histogram]] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)

    def _count(self, what: str, n: int = 1) -> None:
        self.tally[what] = self.tally.get(what, 0) + n

    def append(self, value: bytes, append_time: int) -> None:
        request = WriteRequest.FromString(value)
        self._count("records")
        self._count("metadata", len(request.metadata))
        for entry in request.timeseries:
            labels = tuple((label.name, label.value) for label in entry.labels)
            self._count("exemplars", len(entry.exemplars))
            for sample in entry.samples:
                self._take(labels, sample.timestamp, bits_of(sample.value), append_time)
            for message in entry.histograms:
                self._take(labels, message.timestamp, _get_histogram(message), append_time)

    def _take(self, labels: Labels, t: int, value: int | Histogram, append_time: int) -> None:
        self._count("appended")
        start = t // self.window_ms * self.window_ms
        if t < append_time - self.bounds.max_age:
            return self._count("out_of_bounds_past")
        if t > append_time + self.bounds.max_future:
            return self._count("out_of_bounds_future")
        if start not in self.windows:
            if len(self.windows) == self.bounds.max_windows:
                return self._count("too_many_windows")
            self.windows.append(start)
        samples = self.series.setdefault(labels, {})
        if t not in samples:
            samples[t] = value
            return self._count("stored")
        return self._count("duplicate" if same(samples[t], value) else "duplicate_timestamp")

    def counts(self) -> Counts:
        get = self.tally.get
        reasons = ("out_of_bounds_past", "out_of_bounds_future", "too_many_windows", "duplicate_timestamp")
        return Counts(
            records=get("records", 0),
            appended=get("appended", 0),
            stored=get("stored", 0),
            duplicate=get("duplicate", 0),
            rejected={reason: get(reason, 0) for reason in reasons if get(reason)},
            exemplars=get("exemplars", 0),
            metadata=get("metadata", 0),
        )

    def block(self, window: int) -> dict[Labels, list[Sample]]:
        """Series of one window that have samples, in label order."""
        found = {}
        for labels in sorted(self.series):
            samples = sorted((t, v) for t, v in self.series[labels].items() if window <= t < window + self.window_ms)
            if samples:
                found[labels] = samples
        return found


def same(a: int | Histogram, b: int | Histogram) -> bool:
    if isinstance(a, Histogram) and isinstance(b, Histogram):
        return a.same_value(b)
    return not isinstance(a, Histogram) and not isinstance(b, Histogram) and a == b


def float_chunks(samples: Sequence[Sample]) -> list[bytes]:
    """The XOR chunks that a window's samples must become: runs of floats, cut at every 120th."""
    chunks: list[bytes] = []
    run: list[tuple[int, int]] = []
    for t, value in samples:
        if isinstance(value, Histogram) or len(run) == 120:
            chunks += [encode_xor(run)] if run else []
            run = []
        if not isinstance(value, Histogram):
            run.append((t, value))
    return chunks + ([encode_xor(run)] if run else [])


def decoded(chunk: Chunk) -> list[Sample]:
    if chunk.encoding == ENCODING_XOR:
        return [(t, v) for t, v in decode_xor(chunk.data)]
    return [(h.t, h) for h in decode_histogram_chunk(chunk.data, is_float=chunk.encoding == 3)]


def agree(found: Sequence[Sample], expected: Sequence[Sample]) -> bool:
    """Same times, same values; a chunk cannot say all of a histogram's hint and of a stale marker."""
    return [t for t, _ in found] == [t for t, _ in expected] and all(
        same(_plain(a), _plain(b)) for (_, a), (_, b) in zip(found, expected, strict=True)
    )


def _plain(value: int | Histogram) -> int | Histogram:
    return value._replace(t=0) if isinstance(value, Histogram) else value


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def fixed(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def varint(self) -> int:
        raw = self.uvarint()
        return raw >> 1 ^ -(raw & 1)

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def read_block(directory: Path) -> dict[Labels, list[Chunk]]:
    """Every series of a block, in the order of its index."""
    index = (directory / "index").read_bytes()
    segments = [path.read_bytes() for path in sorted((directory / "chunks").iterdir())]
    toc = struct.unpack(">6Q", index[-52:-4])
    reader = _Reader(index, toc[0] + 4)
    symbols = [reader.take(reader.uvarint()) for _ in range(reader.fixed(4))]
    assert symbols == sorted(set(symbols))
    found: dict[Labels, list[Chunk]] = {}
    reader.at = toc[1]
    while (at := -(-reader.at // 16) * 16) < toc[2]:
        reader.at = at
        reader.uvarint()
        pairs = [(symbols[reader.uvarint()], symbols[reader.uvarint()]) for _ in range(reader.uvarint())]
        chunks: list[Chunk] = []
        ref = maxt = 0
        for _ in range(reader.uvarint()):
            mint = maxt + reader.uvarint() if chunks else reader.varint()
            maxt = mint + reader.uvarint()
            ref = ref + reader.varint() if chunks else reader.uvarint()
            payload = _Reader(segments[ref >> 32], ref & 0xFFFFFFFF)
            size = payload.uvarint()
            chunks.append(Chunk(payload.fixed(1), mint, maxt, payload.take(size)))
        reader.at += 4
        found[tuple(pairs)] = chunks
    return found


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
