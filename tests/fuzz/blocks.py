"""Targets of what reads blocks: damage behind right checksums, since a wrong one ends the reading at once.

An input that stands for a stretch of a small block names it in its first byte; the rest replaces the stretch, cut or
filled up to its length. The stretches are those that have a checksum.
"""

import contextlib
import itertools
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from forebay.errors import InvalidData
from tests.fuzz import corpus
from tests.fuzz.entry import Entry, Target, exactly
from tests.tsdb.block_oracle import read_index, write_block
from tsdb.block_reader import BlockReader
from tsdb.chunk import Chunk, Labels, SeriesChunks
from tsdb.chunks import decode_histograms, encode_floats
from tsdb.crc32c import crc32c
from tsdb.matcher import Matcher, MatchType
from tsdb.merge import merge_blocks
from tsdb.postings import decode_postings, intersect, subtract, union
from tsdb.postings_table import PostingsTable
from tsdb.series_entry import SeriesEntry, entry_size
from tsdb.symbol_reader import SymbolReader

_FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk would be waited for at every merge
_SEGMENT = "chunks/000001"
_SYMBOLS = [b"", b"__name__", b"a", b"b", b"job", b"up"]


class Stretch(NamedTuple):
    """Bytes [start, end) of a file; their CRC stands at `end`."""

    path: str
    start: int
    end: int


class MemoryBlock:
    """BlockFiles whose every read is a heap block of its own: a step over a section's end is one out of bounds."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def size(self, path: str) -> int:
        return len(self._file(path))

    def read(self, path: str, start: int, length: int) -> memoryview:
        return exactly(self._file(path)[start : start + length])

    def damaged(self, stretch: Stretch, content: bytes) -> "MemoryBlock":
        """Another, with this content in that stretch and the checksum that goes with it."""
        path, start, end = stretch
        file = bytearray(self.files[path])
        content = content[: end - start]
        file[start : start + len(content)] = content
        file[end : end + 4] = _crc(bytes(file[start:end]))
        return MemoryBlock({**self.files, path: bytes(file)})

    def _file(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None


def entries() -> dict[str, Entry]:
    block = _small_block()
    stretches = _stretches(block)
    inputs = [bytes([number]) + block.files[path][start:end] for number, (path, start, end) in enumerate(stretches)]
    lists = [_be32(len(ids)) + b"".join(map(_be32, ids)) for ids in ([], [1], [1, 2, 3, 9], range(5, 300, 7))]
    return {
        "postings": Entry(_postings(), lists),
        "postings table": Entry(_table, [inputs[_stretch_of_table(block, stretches)][1:]]),
        "series entry": Entry(
            _series_entry(), [bytes.fromhex("01 0103 01 8001 05 08"), bytes.fromhex("02 0105 0402 00")]
        ),
        "read block": Entry(_reading(block, stretches), inputs),
        "merge blocks": Entry(_merging(block, stretches), inputs),
    }


def _be32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _crc(data: bytes) -> bytes:
    return _be32(crc32c(data))


def _section(content: bytes) -> memoryview:
    return exactly(_be32(len(content)) + content + _crc(content))


def _postings() -> Target:
    state = {"before": array("I", [2, 3, 5, 9])}

    def target(data: memoryview) -> None:
        with contextlib.suppress(InvalidData):
            ids = decode_postings(_section(bytes(data)))
            for left, right in itertools.permutations((ids, state["before"])):
                both, only = set(left) & set(right), set(left) - set(right)
                if list(intersect(left, right)) != sorted(both) or list(subtract(left, right)) != sorted(only):
                    raise AssertionError(f"postings are another set: left={left} right={right}")
            if list(union([ids, state["before"], ids])) != sorted({*ids, *state["before"]}):
                raise AssertionError(f"postings are another set: left={ids} right={state['before']}")
            state["before"] = ids

    return target


def _table(data: memoryview) -> None:
    with contextlib.suppress(InvalidData):
        table = PostingsTable(_section(bytes(data)), lists=5, end=1 << 40)
        for name in table.names():
            for value, span in zip(table.values(name), table.spans(name), strict=True):
                if table.find(name, value) != span:
                    raise AssertionError(f"a value is not found where it stands: name={name!r} value={value!r}")
            table.find(name, b"no such value")
        table.all()


def _series_entry() -> Target:
    body = _be32(len(_SYMBOLS)) + b"".join(bytes([len(text)]) + text for text in _SYMBOLS)
    symbols, entry = SymbolReader(_section(body)), SeriesEntry()

    def target(data: memoryview) -> None:
        size = len(data)
        length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
        for whole in (bytes(data), length + bytes(data) + _crc(bytes(data))):
            with contextlib.suppress(InvalidData):
                entry_size(exactly(whole))
                entry.read(exactly(whole), symbols)

    return target


def _reading(block: MemoryBlock, stretches: Sequence[Stretch]) -> Target:
    matchers = [Matcher(MatchType.REGEX, b"job", b".+"), Matcher(MatchType.NOT_EQUAL, b"job", b"b")]

    def target(data: memoryview) -> None:
        with contextlib.suppress(InvalidData):
            reader = BlockReader(_damaged(block, stretches, data))
            for name in reader.label_names():
                reader.label_values(name)
            list(reader.select(matchers, 0, corpus.NOW))
            list(reader.series())

    return target


def _merging(block: MemoryBlock, stretches: Sequence[Stretch]) -> Target:
    """With the good block behind it: where the two agree no sample is decoded, where they differ all are."""

    def target(data: memoryview) -> None:
        with tempfile.TemporaryDirectory(dir=_FAST) as directory, contextlib.suppress(InvalidData):
            merge_blocks([_damaged(block, stretches, data), block], Path(directory))

    return target


def _damaged(block: MemoryBlock, stretches: Sequence[Stretch], data: memoryview) -> MemoryBlock:
    return block.damaged(stretches[data[0] % len(stretches)], bytes(data[1:])) if data else block


def _small_block() -> MemoryBlock:
    """Five series: two of floats, three of histograms."""
    times, bits = array("q", range(0, 60_000, 5000)), array("Q", range(12))
    floats = encode_floats(times, bits)
    chunks = [floats, floats[:1]]
    for encoding, data in zip((2, 2, 3), corpus.chunks()[1:], strict=True):  # integers, custom buckets, floats
        chunks.append([_histograms(encoding, data)])
    series = [SeriesChunks(_labels(number), each) for number, each in enumerate(chunks)]
    with tempfile.TemporaryDirectory() as scratch:
        write_block(Path(scratch), series)
        return MemoryBlock({path: (Path(scratch) / path).read_bytes() for path in ("meta.json", "index", _SEGMENT)})


def _labels(number: int) -> Labels:
    return (b"__name__", b"up"), (b"job", b"abcdef"[number : number + 1])


def _histograms(encoding: int, data: bytes) -> Chunk:
    times = [histogram.t for histogram in decode_histograms(encoding, data)]
    return Chunk(encoding, times[0], times[-1], data)


def _stretches(block: MemoryBlock) -> list[Stretch]:
    index = read_index(block.files["index"])
    found = [Stretch("index", start, end) for start, end in index.checksummed]
    for _, chunks in index.series.values():
        for _, _, ref in chunks:
            size = block.files[_SEGMENT][ref]  # one byte says how long these are
            found.append(Stretch(_SEGMENT, ref + 1, ref + 2 + size))
    return found


def _stretch_of_table(block: MemoryBlock, stretches: Sequence[Stretch]) -> int:
    table = int.from_bytes(block.files["index"][-12:-4])
    return next(i for i, stretch in enumerate(stretches) if stretch.start == table + 4)
