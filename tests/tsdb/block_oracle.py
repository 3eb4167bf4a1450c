"""Blocks written for tests, and an index read back the slow, obvious way."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tsdb.block_writer import BlockStats, BlockWriter
from tsdb.chunk import ENCODING_XOR, Chunk, Labels, SeriesChunks
from tsdb.meta import Compaction, Downsample, IndexStats, Meta, Stats, Thanos

ULID = "01HF7Z0000000000000000000A"


def symbols_of(label_sets: Sequence[Labels]) -> list[bytes]:
    return sorted({text for labels in label_sets for pair in labels for text in pair})


def one_sample_chunk(t: int, *, bits: int = 0) -> Chunk:
    """The shortest XOR chunk: count, time as a zig-zag varint, value."""
    zigzag = t << 1 if t >= 0 else ~(t << 1)
    varint = bytearray()
    while zigzag >= 0x80:
        varint.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    varint.append(zigzag)
    return Chunk(ENCODING_XOR, t, t, b"\0\1" + bytes(varint) + struct.pack(">Q", bits))


def write_block(directory: Path, series: Sequence[SeriesChunks], *, segment_bytes: int = 512 << 20) -> BlockStats:
    """A whole block with meta.json; `series` in any order."""
    writer = BlockWriter(directory, segment_bytes=segment_bytes)
    writer.add_symbols(symbols_of([one.labels for one in series]))
    for one in sorted(series, key=lambda one: one.labels):
        writer.add(one.labels, one.chunks)
    stats = writer.finish()
    meta = Meta(
        ulid=ULID,
        min_time=stats.min_time,
        max_time=stats.max_time + 1,
        stats=Stats(num_samples=stats.samples, num_series=stats.series, num_chunks=stats.chunks),
        compaction=Compaction(level=1, sources=(ULID,)),
        version=1,
        thanos=Thanos(
            labels={"a": "b"},
            downsample=Downsample(0),
            source="test",
            index_stats=IndexStats(stats.series_max_size, stats.chunk_max_size),
        ),
    )
    (directory / "meta.json").write_bytes(meta.encode())
    return stats


class OracleIndex(NamedTuple):
    series: dict[int, tuple[Labels, list[tuple[int, int, int]]]]
    """By id: labels, and (mint, maxt, ref) of the chunks."""
    postings: list[tuple[bytes, bytes, list[int]]]
    """In the order of the table."""
    checksummed: list[tuple[int, int]]
    """Stretches [start, end) of the file; the CRC stands at each end."""


class _File:
    """The bytes of an index, and which of them a checksum was right for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.checksummed: list[tuple[int, int]] = []

    def be32(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4])

    def check(self, start: int, end: int) -> None:
        crc = 0xFFFFFFFF
        for byte in self.data[start:end]:
            crc ^= byte
            for _ in range(8):
                crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        assert crc ^ 0xFFFFFFFF == self.be32(end)
        self.checksummed.append((start, end))

    def check_section(self, at: int) -> None:
        self.check(at + 4, at + 4 + self.be32(at))


class _Cursor:
    """Reads one thing after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            value |= (byte & 0x7F) << shift
            shift += 7
            self.at += 1
            if byte < 0x80:
                return value

    def varint(self) -> int:
        raw = self.uvarint()
        return raw >> 1 ^ -(raw & 1)

    def text(self) -> bytes:
        size = self.uvarint()
        self.at += size
        return self.data[self.at - size : self.at]


def read_index(data: bytes) -> OracleIndex:
    """An index of version 2; what stands where it must is asserted."""
    file = _File(data)
    symbols_at, series_at, labels_at, label_table_at, postings_at, table_at = struct.unpack(">6Q", data[-52:-4])
    file.check(len(data) - 52, len(data) - 4)
    assert (labels_at, label_table_at) == (postings_at, table_at)
    file.check_section(symbols_at)
    cursor = _Cursor(data, symbols_at + 8)
    symbols = [cursor.text() for _ in range(file.be32(symbols_at + 4))]
    assert cursor.at + 4 == series_at
    postings = _read_postings(file, postings_at, table_at)
    series: dict[int, tuple[Labels, list[tuple[int, int, int]]]] = {}
    end = series_at
    for number in postings[0][2]:
        assert number * 16 == -(-end // 16) * 16
        series[number], end = _read_series(file, number * 16, symbols)
    assert end == postings_at
    return OracleIndex(series, postings, file.checksummed)


def _read_postings(file: _File, postings_at: int, table_at: int) -> list[tuple[bytes, bytes, list[int]]]:
    file.check_section(table_at)
    cursor = _Cursor(file.data, table_at + 8)
    postings = []
    list_end = -(-postings_at // 4) * 4
    for _ in range(file.be32(table_at + 4)):
        assert cursor.uvarint() == 2
        name, value, offset = cursor.text(), cursor.text(), cursor.uvarint()
        file.check_section(offset)
        assert offset == list_end
        count = file.be32(offset + 4)
        list_end = offset + 8 + 4 * count + 4
        postings.append((name, value, [file.be32(offset + 8 + 4 * i) for i in range(count)]))
    assert list_end == table_at
    return postings


def _read_series(file: _File, at: int, symbols: list[bytes]) -> tuple[tuple[Labels, list[tuple[int, int, int]]], int]:
    cursor = _Cursor(file.data, at)
    size = cursor.uvarint()
    end = cursor.at + size
    file.check(cursor.at, end)
    labels = tuple((symbols[cursor.uvarint()], symbols[cursor.uvarint()]) for _ in range(cursor.uvarint()))
    chunks: list[tuple[int, int, int]] = []
    for _ in range(cursor.uvarint()):
        mint = chunks[-1][1] + cursor.uvarint() if chunks else cursor.varint()
        maxt = mint + cursor.uvarint()
        ref = chunks[-1][2] + cursor.varint() if chunks else cursor.uvarint()
        chunks.append((mint, maxt, ref))
    assert cursor.at == end
    return (labels, chunks), end + 4
