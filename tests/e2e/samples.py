"""Every sample of a directory of blocks, for comparing one store with another bit for bit."""

from collections.abc import Iterator
from pathlib import Path

from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.chunk import ENCODING_XOR, Chunk, Labels
from tsdb.chunks import Histogram, decode_floats, decode_histograms

Sample = int | tuple[object, ...]
"""Bits of a float, or what a histogram says, its spans expanded."""

Samples = dict[tuple[Labels, int], list[Sample]]
"""By series and time; a list, so that a sample stored twice is seen."""

STALE_BITS = 0x7FF0000000000002


def blocks_in(directory: Path) -> list[Path]:
    return sorted(meta.parent for meta in directory.glob("*/meta.json"))


def expanded(histogram: Histogram) -> tuple[object, ...]:
    """A histogram by its contents: bucket index to absolute count, so that layouts with empty buckets compare equal."""

    def side(spans: tuple[tuple[int, int], ...], values: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        index, absolute, found, rest = 0, 0, [], iter(values)
        for offset, length in spans:
            index += offset
            for _ in range(length):
                value = next(rest)
                absolute = value if histogram.is_float else absolute + value
                if absolute:
                    found.append((index, absolute))
                index += 1
        return tuple(found)

    return (
        histogram.is_float,
        histogram.schema if histogram.sum_bits != STALE_BITS else 0,
        histogram.zero_threshold if histogram.sum_bits != STALE_BITS else 0,
        histogram.sum_bits,
        histogram.count,
        histogram.zero_count,
        side(histogram.positive_spans, histogram.positive_buckets),
        side(histogram.negative_spans, histogram.negative_buckets),
        tuple(histogram.custom_values),
    )


def _samples(chunk: Chunk) -> Iterator[tuple[int, Sample]]:
    if chunk.encoding == ENCODING_XOR:
        yield from zip(*decode_floats(chunk.data), strict=True)
    else:
        for histogram in decode_histograms(chunk.encoding, chunk.data):
            yield histogram.t, expanded(histogram)


def load(directory: Path) -> Samples:
    """All samples of all blocks below `directory`."""
    found: Samples = {}
    for path in blocks_in(directory):
        for labels, chunks in BlockReader(LocalBlock(path)).series():
            for chunk in chunks:
                for t, sample in _samples(chunk):
                    found.setdefault((labels, t), []).append(sample)
    return found
