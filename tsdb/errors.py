"""What is wrong with bytes that were read; see forebay.errors for what a caller does next."""

from forebay.errors import InvalidData


class CorruptBlock(InvalidData):
    """A file of a block is not what its format says: index, segment, meta.json or tombstones."""


class CorruptChunk(InvalidData):
    """A chunk's payload is not what an encoder wrote: it ends early, contradicts itself, or its times lie."""
