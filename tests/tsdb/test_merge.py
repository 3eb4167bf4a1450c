import struct
import tempfile
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tsdb.block_oracle import one_sample_chunk, write_block
from tests.tsdb.block_strategies import blocks
from tsdb import tombstones
from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.chunk import Chunk, Labels, SeriesChunks
from tsdb.chunks import decode_floats, encode_floats
from tsdb.crc32c import crc32c
from tsdb.errors import CorruptBlock
from tsdb.merge import MergeStats, merge_blocks
from tsdb.series_merge import SeriesCounts

A: Labels = ((b"__name__", b"up"), (b"job", b"a"))
B: Labels = ((b"__name__", b"up"), (b"job", b"b"))
Samples = dict[int, int]
"""Bits of a value by time."""


def floats(samples: Samples) -> list[Chunk]:
    times = sorted(samples)
    return encode_floats(array("q", times), array("Q", [samples[t] for t in times]))


def samples_of(chunks: list[Chunk]) -> list[tuple[int, int]]:
    found = []
    for chunk in chunks:
        times, bits = decode_floats(chunk.data)
        assert (times[0], times[-1]) == (chunk.mint, chunk.maxt)
        found += list(zip(times, bits, strict=True))
    return found


def read_back(directory: Path) -> list[SeriesChunks]:
    """Of a merge's output, which has no meta.json yet: the caller names the block."""
    (directory / "meta.json").write_text(
        '{"ulid":"01HF7Z0000000000000000000A","minTime":0,"maxTime":0,"stats":{},"compaction":{"level":2},"version":1}'
    )
    return list(BlockReader(LocalBlock(directory)).series())


def merge(scratch: Path, sources: list[list[SeriesChunks]], *, segment_bytes: int = 512 << 20) -> MergeStats:
    files = []
    for i, series in enumerate(sources):
        write_block(scratch / str(i), series, segment_bytes=segment_bytes)
        files.append(LocalBlock(scratch / str(i)))
    return merge_blocks(files, scratch / "out", segment_bytes=segment_bytes)


sample_sets = st.dictionaries(
    st.integers(0, 400), st.sampled_from([0, 1, 0x7FF0000000000002]), min_size=1, max_size=300
)
float_blocks = st.dictionaries(st.sampled_from([A, B, A[:1]]), sample_sets, min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(float_blocks, min_size=1, max_size=4))
def test_every_sample_of_every_source_is_there_once_and_the_first_source_wins(
    sources: list[dict[Labels, Samples]],
) -> None:
    expected: dict[Labels, Samples] = {}
    duplicate = conflicting = 0
    for source in sources:
        for labels, samples in source.items():
            kept = expected.setdefault(labels, {})
            duplicate += sum(kept.get(t) == bits for t, bits in samples.items())
            conflicting += sum(kept.get(t, bits) != bits for t, bits in samples.items())
            expected[labels] = samples | kept
    with tempfile.TemporaryDirectory() as scratch:
        stats = merge(
            Path(scratch), [[SeriesChunks(labels, floats(s)) for labels, s in source.items()] for source in sources]
        )
        merged = read_back(Path(scratch) / "out")
    assert [one.labels for one in merged] == sorted(expected)
    for one in merged:
        assert samples_of(one.chunks) == sorted(expected[one.labels].items())
    written = sum(map(len, expected.values()))
    assert stats.block is not None
    assert stats.block.samples == written
    assert stats.counts == SeriesCounts(written + duplicate + conflicting, written, duplicate, conflicting, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(blocks, min_size=1, max_size=4), st.sampled_from([200, 1 << 20]))
def test_any_labels_merge_and_symbols_are_the_union(sources: list[list[SeriesChunks]], segment_bytes: int) -> None:
    times: dict[Labels, set[int]] = {}
    for source in sources:
        for labels, chunks in source:
            times.setdefault(labels, set()).update(chunk.mint for chunk in chunks)
    with tempfile.TemporaryDirectory() as scratch:
        merge(Path(scratch), sources, segment_bytes=segment_bytes)
        merged = read_back(Path(scratch) / "out")
        symbols = BlockReader(LocalBlock(Path(scratch) / "out")).index.symbols
        assert [symbols.lookup(i) for i in range(symbols.count)] == sorted(
            {text for labels in times for pair in labels for text in pair}
        )
    assert [one.labels for one in merged] == sorted(times)
    for one in merged:
        assert [t for t, _ in samples_of(one.chunks)] == sorted(times[one.labels])


def test_chunks_that_do_not_overlap_are_copied_byte_for_byte(tmp_path: Path) -> None:
    chunks = [one_sample_chunk(t, bits=t) for t in (10, 20, 30, 40)]
    merge(tmp_path, [[SeriesChunks(A, chunks[1::2])], [SeriesChunks(A, chunks[::2])]])
    assert read_back(tmp_path / "out") == [SeriesChunks(A, chunks)]


def test_merging_one_block_gives_its_own_bytes(tmp_path: Path) -> None:
    series = [SeriesChunks(A, floats(dict.fromkeys(range(500), 1))), SeriesChunks(B, [one_sample_chunk(5)])]
    merge(tmp_path, [series])
    for path in ("index", "chunks/000001"):
        assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "0" / path).read_bytes()


def test_tombstones_are_applied_and_counted(tmp_path: Path) -> None:
    write_block(
        tmp_path / "0", [SeriesChunks(A, floats(dict.fromkeys(range(300), 7))), SeriesChunks(B, [one_sample_chunk(5)])]
    )
    first, second = BlockReader(LocalBlock(tmp_path / "0")).index.all()
    (tmp_path / "0/tombstones").write_bytes(tombstones.encode({first: [(10, 19), (130, 400)], second: [(0, 9)]}))
    stats = merge_blocks([LocalBlock(tmp_path / "0")], tmp_path / "out")
    assert stats.counts == SeriesCounts(read=301, written=120, duplicate=0, conflicting=0, deleted=181)
    (one,) = read_back(tmp_path / "out")
    assert samples_of(one.chunks) == [(t, 7) for t in range(130) if not 10 <= t <= 19]


def test_nothing_left_is_no_block(tmp_path: Path) -> None:
    write_block(tmp_path / "0", [SeriesChunks(A, [one_sample_chunk(5)])])
    (number,) = BlockReader(LocalBlock(tmp_path / "0")).index.all()
    (tmp_path / "0/tombstones").write_bytes(tombstones.encode({number: [(5, 5)]}))
    stats = merge_blocks([LocalBlock(tmp_path / "0")], tmp_path / "out")
    assert stats == MergeStats(None, SeriesCounts(1, 0, 0, 0, 1))


def test_damage_in_a_source_is_found_wherever_a_merge_reads(tmp_path: Path) -> None:
    write_block(tmp_path / "0", [SeriesChunks(A, [one_sample_chunk(5)])])
    index, segment = tmp_path / "0/index", tmp_path / "0/chunks/000001"
    _, series, _, _, postings, table = struct.unpack(">6Q", index.read_bytes()[-52:-4])
    first_entry, first_list = -(-series // 16) * 16, -(-postings // 4) * 4
    other_lists = first_list + 16  # behind that of all series, which has one id
    unread = {
        index: {*range(series, first_entry), *range(postings, first_list), *range(other_lists, table)},
        segment: set(range(8)),
    }
    for path in (index, segment):
        good = path.read_bytes()
        harmless = set()
        for position in range(len(good)):
            path.unlink()
            path.write_bytes(good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :])
            try:
                merge_blocks([LocalBlock(tmp_path / "0")], tmp_path / f"out-{path.name}-{position}")
            except CorruptBlock:
                continue
            harmless.add(position)
        assert harmless == unread[path]
        path.unlink()
        path.write_bytes(good)


def test_a_source_whose_segment_is_missing_is_damaged(tmp_path: Path) -> None:
    write_block(tmp_path / "0", [SeriesChunks(A, [one_sample_chunk(5)])])
    (tmp_path / "0/chunks/000001").unlink()
    with pytest.raises(CorruptBlock, match="behind its segment file"):
        merge_blocks([LocalBlock(tmp_path / "0")], tmp_path / "out")


def test_a_source_with_an_empty_label_is_damaged(tmp_path: Path) -> None:
    write_block(tmp_path / "0", [SeriesChunks(((b"a", b"b"),), [one_sample_chunk(5)])])
    index = tmp_path / "0/index"
    data = bytearray(index.read_bytes())
    symbols, entry = 5, 32
    assert data[symbols : symbols + 12] == b"\0\0\0\x08\0\0\0\2\1a\1b"
    assert data[entry + 1 : entry + 4] == b"\1\0\1"  # one pair: symbols 0 and 1
    data[symbols + 8 : symbols + 12] = b"\0\2ab"  # as long as before: the empty string and "ab"
    data[symbols + 12 : symbols + 16] = crc32c(data[symbols + 4 : symbols + 12]).to_bytes(4)
    index.unlink()
    index.write_bytes(data)
    with pytest.raises(CorruptBlock, match="empty name or value"):
        merge_blocks([LocalBlock(tmp_path / "0")], tmp_path / "out")
