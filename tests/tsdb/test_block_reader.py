import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tsdb.block_oracle import one_sample_chunk, read_index, write_block
from tests.tsdb.block_strategies import blocks, names, values
from tsdb import tombstones
from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.chunk import SeriesChunks
from tsdb.crc32c import crc32c
from tsdb.errors import CorruptBlock
from tsdb.matcher import Matcher, MatchType, matches_all

TIME = (-(1 << 63), (1 << 63) - 1)
patterns = st.sampled_from([b"x.*", b".*", b".+", b"", b"x|y", b"x?", b"[^x]+"])
matchers = st.lists(
    st.builds(Matcher, st.sampled_from([MatchType.EQUAL, MatchType.NOT_EQUAL]), names, values | st.just(b""))
    | st.builds(Matcher, st.sampled_from([MatchType.REGEX, MatchType.NOT_REGEX]), names, patterns),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(blocks, st.sampled_from([100, 1 << 20]))
def test_what_was_written_reads_back_and_the_slow_reader_agrees(series: list[SeriesChunks], segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "block"
        write_block(directory, series, segment_bytes=segment_bytes)
        reader = BlockReader(LocalBlock(directory))
        assert list(reader.series()) == series
        pairs = {pair for one in series for pair in one.labels}
        assert reader.label_names() == sorted({name for name, _ in pairs})
        for name, _ in pairs:
            assert reader.label_values(name) == sorted(value for other, value in pairs if other == name)
        assert reader.label_values(b"") == []

        oracle = read_index((directory / "index").read_bytes())
        assert [labels for labels, _ in oracle.series.values()] == [one.labels for one in series]
        assert [(name, value) for name, value, _ in oracle.postings] == [(b"", b""), *sorted(pairs)]
        for name, value, ids in oracle.postings[1:]:
            assert ids == [number for number, (labels, _) in oracle.series.items() if (name, value) in labels]


@settings(max_examples=100, deadline=None)
@given(blocks, matchers, st.integers(-10, 110), st.integers(0, 50))
def test_select_is_what_matching_every_series_gives(
    series: list[SeriesChunks], conditions: list[Matcher], mint: int, length: int
) -> None:
    maxt = mint + length
    expected = []
    for labels, chunks in series:
        inside = [chunk for chunk in chunks if chunk.maxt >= mint and chunk.mint <= maxt]
        if inside and matches_all(conditions, labels):
            expected.append(SeriesChunks(labels, inside))
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "block"
        write_block(directory, series)
        assert list(BlockReader(LocalBlock(directory)).select(conditions, mint, maxt)) == expected


def some_series() -> list[SeriesChunks]:
    return [
        SeriesChunks(
            ((b"__name__", b"up"), (b"job", f"job-{i:03}".encode())), [one_sample_chunk(t) for t in range(i, i + 3)]
        )
        for i in range(20)
    ]


def test_entries_longer_than_the_guess_are_read_again_in_full(tmp_path: Path) -> None:
    long = tuple((f"label-{i:05}".encode(), b"v" * 20) for i in range(3000))
    series = [SeriesChunks(long, [one_sample_chunk(1)])]
    write_block(tmp_path / "block", series)
    meta = (tmp_path / "block/meta.json").read_text().replace("series_max_size", "unknown")
    (tmp_path / "block/meta.json").write_text(meta)
    assert list(BlockReader(LocalBlock(tmp_path / "block")).series()) == series


def test_deleted_samples_are_left_out(tmp_path: Path) -> None:
    series = some_series()
    write_block(tmp_path / "block", series)
    reader = BlockReader(LocalBlock(tmp_path / "block"))
    first, second, *_ = reader.index.all()
    deleted = {first: [(0, 1)], second: [(-5, 1 << 40)]}
    (tmp_path / "block/tombstones").write_bytes(tombstones.encode(deleted))
    left = list(BlockReader(LocalBlock(tmp_path / "block")).series())
    assert left == [SeriesChunks(series[0].labels, series[0].chunks[2:]), *series[2:]]


def test_a_missing_segment_file_is_damage(tmp_path: Path) -> None:
    write_block(tmp_path / "block", some_series(), segment_bytes=100)
    (tmp_path / "block/chunks/000002").unlink()
    with pytest.raises(CorruptBlock, match="chunks/000002"):
        list(BlockReader(LocalBlock(tmp_path / "block")).series())


@pytest.mark.parametrize(
    ("head", "message"), [(b"baaad70001", "version=1"), (b"baaad70003", "version=3"), (b"baaad80002", "no header")]
)
def test_other_index_versions_are_refused(tmp_path: Path, head: bytes, message: str) -> None:
    write_block(tmp_path / "block", some_series())
    index = tmp_path / "block/index"
    index.write_bytes(bytes.fromhex(head.decode()) + index.read_bytes()[5:])
    with pytest.raises(CorruptBlock, match=message):
        BlockReader(LocalBlock(tmp_path / "block"))


def test_every_damaged_byte_of_an_index_is_found_or_harmless(tmp_path: Path) -> None:
    """Padding and bytes that nobody reads may change; what is read is then right all the same."""
    series = some_series()[:4]
    write_block(tmp_path / "block", series)
    index = tmp_path / "block/index"
    good = index.read_bytes()
    harmless = 0
    for position in range(len(good)):
        index.write_bytes(good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :])
        try:
            found = list(
                BlockReader(LocalBlock(tmp_path / "block")).select([Matcher(MatchType.REGEX, b"job", b".+")], *TIME)
            )
        except CorruptBlock:
            continue
        assert found == series
        harmless += 1
    unread = 12 + 4 * len(series)
    assert (
        0 < harmless <= 15 * (len(series) + 1) + 2 * unread + 40
    )  # padding; lists of all and of `up`; dead TOC fields


def test_every_cut_of_an_index_and_of_a_segment_is_found(tmp_path: Path) -> None:
    write_block(tmp_path / "block", some_series()[:3])
    for path in (tmp_path / "block/index", tmp_path / "block/chunks/000001"):
        good = path.read_bytes()
        for length in range(len(good)):
            path.unlink()  # a new file: the old one is still mapped
            path.write_bytes(good[:length])
            with pytest.raises(CorruptBlock):
                list(BlockReader(LocalBlock(tmp_path / "block")).series())
        path.unlink()
        path.write_bytes(good)


def test_random_damage_with_right_checksums_never_does_more_than_raise(tmp_path: Path) -> None:
    """Whoever can write to the bucket can also make checksums right, so structure is checked on its own."""
    series = some_series()[:6]
    write_block(tmp_path / "block", series)
    index = tmp_path / "block/index"
    good = index.read_bytes()
    sealed = read_index(good).checksummed
    chance = random.Random(1)
    raised = 0
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(5, len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        for start, end in sealed:
            data[end : end + 4] = crc32c(data[start:end]).to_bytes(4)
        index.unlink()
        index.write_bytes(data)
        try:
            reader = BlockReader(LocalBlock(tmp_path / "block"))
            list(reader.select([Matcher(MatchType.REGEX, b"job", b".+")], *TIME))
            list(reader.series())
        except CorruptBlock:
            raised += 1
    assert 0 < raised < 1500
