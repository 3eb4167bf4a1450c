"""Prometheus' own tool judges our blocks, and its blocks are read by ours."""

import re
import shutil
import struct
import subprocess
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.recipes import Recipe
from tests.tsdb.block_oracle import ULID, write_block
from tsdb import ulid
from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.chunk import Labels, SeriesChunks
from tsdb.chunks import decode_floats, encode_floats
from tsdb.matcher import Matcher, MatchType
from tsdb.merge import merge_blocks

pytestmark = pytest.mark.peer("prometheus-2.42")
T0 = 1700006400000


@pytest.fixture(scope="module")
def promtool(peer: Callable[[str], Recipe]) -> Callable[..., str]:
    program = peer("prometheus-2.42").program("promtool")

    def run(*arguments: str | Path) -> str:
        result = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def bits(value: float) -> int:
    found: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return found


def make_series(count: int, *, samples: int) -> list[SeriesChunks]:
    found = []
    for i in range(count):
        labels: Labels = (
            (b"__name__", f"metric_{i % 7}".encode()),
            (b"instance", f"10.0.{i // 256}.{i % 256}:9100".encode()),
            ("zöne".encode(), "ß→é".encode()),
        )
        times = array("q", [T0 + 15000 * k + i for k in range(samples)])
        found.append(SeriesChunks(labels, encode_floats(times, array("Q", [bits(i + k / 4) for k in range(samples)]))))
    return found


def dumped(text: str) -> dict[str, list[tuple[int, float]]]:
    """`tsdb dump`: `{name="value", ...} value time` a line."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\{.*\}) (\S+) (\d+)", line)
        assert match, line
        found.setdefault(match[1], []).append((int(match[3]), float(match[2])))
    return found


def expected_dump(series: list[SeriesChunks]) -> dict[str, list[tuple[int, float]]]:
    found = {}
    for labels, chunks in series:
        text = ", ".join(f'{name.decode()}="{value.decode()}"' for name, value in labels)
        samples: list[tuple[int, float]] = []
        for chunk in chunks:
            times, values = decode_floats(chunk.data)
            samples += zip(times, struct.unpack(f"<{len(values)}d", values.tobytes()), strict=True)
        found[f"{{{text}}}"] = samples
    return found


@pytest.mark.parametrize(("count", "samples", "segment_bytes"), [(3000, 3, 512 << 20), (50, 500, 4000)])
def test_it_accepts_our_blocks_and_prints_our_samples(
    promtool: Callable[..., str], tmp_path: Path, count: int, samples: int, segment_bytes: int
) -> None:
    series = make_series(count, samples=samples)
    stats = write_block(tmp_path / ULID, series, segment_bytes=segment_bytes)
    assert (len(stats.segment_files) > 1) == (segment_bytes < 1 << 20)
    (tmp_path / "wal").mkdir()
    assert re.search(
        rf"{ULID} .*\b{stats.samples}\b.*\b{stats.chunks}\b.*\b{stats.series}\b", promtool("tsdb", "list", tmp_path)
    )
    analysis = promtool("tsdb", "analyze", "--extended", tmp_path, ULID)
    assert f"\nSeries: {count}\n" in analysis
    assert dumped(promtool("tsdb", "dump", tmp_path)) == expected_dump(series)


def test_it_accepts_what_we_merged(promtool: Callable[..., str], tmp_path: Path) -> None:
    series = make_series(300, samples=250)
    halves = [
        [SeriesChunks(one.labels, one.chunks[:2]) for one in series[:200]],
        [SeriesChunks(one.labels, one.chunks[1:]) for one in series[:200]] + series[200:],
    ]
    for number, half in enumerate(halves):
        write_block(tmp_path / f"source-{number}", half)
    data = tmp_path / "data"
    stats = merge_blocks([LocalBlock(tmp_path / "source-0"), LocalBlock(tmp_path / "source-1")], data / ULID)
    assert stats.counts.duplicate == 200 * 120
    shutil.copy(tmp_path / "source-1/meta.json", data / ULID)
    (data / "wal").mkdir()
    promtool("tsdb", "analyze", "--extended", data, ULID)
    assert dumped(promtool("tsdb", "dump", data)) == expected_dump(series)


def test_we_read_its_blocks(promtool: Callable[..., str], tmp_path: Path) -> None:
    lines = []
    for i in range(500):
        lines += [
            f'requests{{instance="host-{i}",code="{200 + i % 3}"}} {i + k / 8} {1700006400 + 60 * k}'
            for k in range(200)
        ]
    (tmp_path / "in.txt").write_text("# TYPE requests gauge\n" + "\n".join(lines) + "\n# EOF\n")
    data = tmp_path / "data"
    promtool("tsdb", "create-blocks-from", "openmetrics", "--quiet", tmp_path / "in.txt", data)
    blocks = sorted(path for path in data.iterdir() if ulid.is_ulid(path.name))
    assert len(blocks) > 1
    ours: dict[str, list[tuple[int, float]]] = {}
    for block in blocks:
        reader = BlockReader(LocalBlock(block))
        assert reader.meta.ulid == block.name
        assert reader.label_names() == [b"__name__", b"code", b"instance"]
        assert reader.label_values(b"code") == [b"200", b"201", b"202"]
        found = list(reader.series())
        assert len(found) == reader.meta.stats.num_series == 500
        for key, samples in expected_dump(found).items():
            ours.setdefault(key, []).extend(samples)
        chosen = reader.select(
            [Matcher(MatchType.NOT_REGEX, b"code", b"200|201")], reader.meta.min_time, reader.meta.max_time
        )
        assert sum(1 for _ in chosen) == 166
    (data / "wal").mkdir()
    assert ours == dumped(promtool("tsdb", "dump", data))
    merged = merge_blocks([LocalBlock(block) for block in blocks], tmp_path / "merged")
    assert merged.counts.written == merged.counts.read == 500 * 200
