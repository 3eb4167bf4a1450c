"""A chunk as it travels between heads, blocks and readers."""

from typing import NamedTuple

ENCODING_XOR = 1
ENCODING_HISTOGRAM = 2
ENCODING_FLOAT_HISTOGRAM = 3

Labels = tuple[tuple[bytes, bytes], ...]
"""A label set: (name, value) pairs ascending by name bytes, UTF-8, no empty name or value, no name twice."""


class Chunk(NamedTuple):
    """`data` is the payload alone: no length, encoding byte or CRC. Both times are inclusive milliseconds."""

    encoding: int
    mint: int
    maxt: int
    data: bytes


class SeriesChunks(NamedTuple):
    """One series and its chunks, ascending by mint; chunks may overlap where sources were not merged yet."""

    labels: Labels
    chunks: list[Chunk]
