import errno
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tsdb.block_writer import BlockStats, BlockWriter
from tsdb.chunk import ENCODING_HISTOGRAM, ENCODING_XOR, Chunk, Labels

T0 = 1700006400000
GOLDEN_INDEX = bytes.fromhex(
    "baaad70002"
    "0000001800000005 085f5f6e616d655f5f 0161 0162 036a6f62 027570 f0b315e7"
    + "00" * 11
    + "10020004030101 80c0b884fa62 b1ea0108 e136c998"
    + "00" * 11
    + "14020004030202 d0cfb884fa62 987527 e0d7020032 99bea3cd"
    + "000000"
    "0000000c000000020000000300000005bb33cbd4"
    "0000000c000000020000000300000005bb33cbd4"
    "000000080000000100000003a7692ed2"
    "00000008000000010000000581c8c93a"
    "0000002900000004 0200006c 02085f5f6e616d655f5f0275708001 02036a6f6201619401 02036a6f620162a401 dadcd13c"
    "0000000000000005 0000000000000025 0000000000000069 00000000000000b4 0000000000000069 00000000000000b4 3e34f84e"
)
PAYLOADS = (
    bytes.fromhex("000380c0b884fa623ff00000000000009875c25fff8001da0c"),
    bytes.fromhex("0002d0cfb884fa624024000000000000987500"),
    bytes.fromhex("0001c0e9bf84fa624026000000000000"),
)
GOLDEN_SEGMENT = (
    bytes.fromhex("85bd40dd01000000")
    + bytes.fromhex("1901") + PAYLOADS[0] + bytes.fromhex("b16cf10a")
    + bytes.fromhex("1301") + PAYLOADS[1] + bytes.fromhex("d9d03061")
    + bytes.fromhex("1001") + PAYLOADS[2] + bytes.fromhex("5a32d13c")
)  # fmt: skip
SYMBOLS = [b"__name__", b"a", b"b", b"job", b"up"]


def labels(job: bytes) -> Labels:
    return ((b"__name__", b"up"), (b"job", job))


def chunk(mint: int, maxt: int, *, samples: int = 2, size: int = 20, encoding: int = ENCODING_XOR) -> Chunk:
    return Chunk(encoding, mint, maxt, struct.pack(">H", samples) + bytes(size - 2))


def write_golden(directory: Path) -> BlockStats:
    writer = BlockWriter(directory)
    writer.add_symbols(SYMBOLS)
    writer.add(labels(b"a"), [Chunk(ENCODING_XOR, T0, T0 + 30001, PAYLOADS[0])])
    writer.add(
        labels(b"b"),
        [
            Chunk(ENCODING_XOR, T0 + 1000, T0 + 16000, PAYLOADS[1]),
            Chunk(ENCODING_XOR, T0 + 60000, T0 + 60000, PAYLOADS[2]),
        ],
    )
    return writer.finish()


def test_the_worked_example_comes_out_byte_for_byte(tmp_path: Path) -> None:
    stats = write_golden(tmp_path / "block")
    assert (tmp_path / "block/index").read_bytes() == GOLDEN_INDEX
    assert (tmp_path / "block/chunks/000001").read_bytes() == GOLDEN_SEGMENT
    assert stats == BlockStats(2, 3, 6, 6, 0, T0, T0 + 60000, 25, 31, ("000001",))
    assert sorted(path.name for path in (tmp_path / "block").rglob("*")) == ["000001", "chunks", "index"]


def test_segments_are_cut_before_a_record_that_could_pass_the_limit(tmp_path: Path) -> None:
    writer = BlockWriter(tmp_path / "block", segment_bytes=100)
    writer.add_symbols([b"a", b"b"])
    writer.add(((b"a", b"b"),), [chunk(i, i, size=size) for i, size in enumerate([20, 20, 300, 20, 20, 20, 20])])
    stats = writer.finish()
    assert stats.segment_files == ("000001", "000002", "000003", "000004")
    sizes = [(tmp_path / "block/chunks" / name).stat().st_size for name in stats.segment_files]
    assert sizes == [8 + 2 * 26, 8 + 2 + 1 + 300 + 4, 8 + 3 * 26, 8 + 26]
    assert stats.chunk_max_size == 307


def test_histogram_samples_are_counted_apart(tmp_path: Path) -> None:
    writer = BlockWriter(tmp_path / "block")
    writer.add_symbols([b"a", b"b"])
    writer.add(((b"a", b"b"),), [chunk(0, 1, samples=3), chunk(2, 3, samples=5, encoding=ENCODING_HISTOGRAM)])
    stats = writer.finish()
    assert (stats.samples, stats.float_samples, stats.histogram_samples) == (8, 3, 5)


@pytest.mark.parametrize(
    ("label_sets", "message"),
    [
        ([labels(b"b"), labels(b"a")], "series are not ascending"),
        ([labels(b"a"), labels(b"a")], "series are not ascending"),
        ([labels(b"a"), labels(b"a")[:1]], "series are not ascending"),
        ([labels(b"a")[::-1]], "label names are not ascending"),
        ([(labels(b"a")[0], labels(b"a")[0])], "label names are not ascending"),
        ([()], "no labels"),
        ([labels(b"c")], "label names no symbol"),
    ],
)
def test_label_order_is_checked(tmp_path: Path, label_sets: list[Labels], message: str) -> None:
    writer = BlockWriter(tmp_path / "block")
    writer.add_symbols(SYMBOLS)
    for label_set in label_sets[:-1]:
        writer.add(label_set, [chunk(0, 1)])
    with pytest.raises(ValueError, match=message):
        writer.add(label_sets[-1], [chunk(0, 1)])
    with pytest.raises(ValueError, match="had an error"):
        writer.finish()
    writer.abort()
    writer.abort()


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "no chunks"),
        ([chunk(2, 1)], "not ascending and apart"),
        ([chunk(0, 5), chunk(5, 6)], "not ascending and apart"),
        ([chunk(0, 5, samples=0)], "sample count"),
        ([chunk(0, 5, encoding=4)], "encoding=4"),
        ([Chunk(ENCODING_XOR, 0, 0, b"\0")], "no header"),
    ],
)
def test_chunks_are_checked(tmp_path: Path, chunks: list[Chunk], message: str) -> None:
    writer = BlockWriter(tmp_path / "block")
    writer.add_symbols(SYMBOLS)
    with pytest.raises(ValueError, match=message):
        writer.add(labels(b"a"), chunks)
    writer.abort()


@pytest.mark.parametrize("symbols", [[b"b", b"a"], [b"a", b"a"], [b"ab", b"a"]])
def test_symbols_must_ascend(tmp_path: Path, symbols: list[bytes]) -> None:
    writer = BlockWriter(tmp_path / "block")
    with pytest.raises(ValueError, match="symbols are not ascending"):
        writer.add_symbols(symbols)


def test_steps_out_of_order_are_refused(tmp_path: Path) -> None:
    writer = BlockWriter(tmp_path / "block")
    with pytest.raises(ValueError, match="no series"):
        writer.finish()
    with pytest.raises(ValueError, match="names no symbol"):
        writer.add(labels(b"a"), [chunk(0, 1)])
    writer.add_symbols([b"", *SYMBOLS])
    with pytest.raises(ValueError, match="once and first"):
        writer.add_symbols(SYMBOLS)
    with pytest.raises(ValueError, match="empty name or value"):
        writer.add(labels(b""), [chunk(0, 1)])


def test_a_used_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stray").touch()
    with pytest.raises(ValueError, match="not empty"):
        BlockWriter(tmp_path)


@pytest.mark.parametrize("segment_bytes", [0, 8, 1 << 32])
def test_segment_size_is_bounded_by_the_format(tmp_path: Path, segment_bytes: int) -> None:
    with pytest.raises(ValueError, match="segment size is out of range"):
        BlockWriter(tmp_path / "block", segment_bytes=segment_bytes)


WRITE_UNDER_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
from tsdb.block_writer import BlockWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
writer = BlockWriter(Path(sys.argv[1]))
writer.add_symbols([b"a", b"b"])
try:
    writer.add(((b"a", b"b"),), [(1, i, i, b"\\0\\1" + bytes(1 << 16)) for i in range(100)])
except OSError as error:
    print(error.errno, error.filename)
writer.abort()
"""


def test_a_write_that_the_system_refuses_is_an_oserror_with_the_path(tmp_path: Path) -> None:
    """A file size limit stands for the full disk: write(2) fails in the same place."""
    command = [sys.executable, "-c", WRITE_UNDER_A_LIMIT, str(tmp_path / "block")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.split() == [str(errno.EFBIG), str(tmp_path / "block/chunks/000001")]
