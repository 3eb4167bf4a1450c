"""meta.json of a block: Prometheus' part and the `thanos` section. Source: docs/formats.md, "meta.json".

Encoding is canonical: the same Meta is the same bytes. Decoding is lenient as its other readers are: unknown keys are
ignored, and sections that a foreign writer left out have their defaults.
"""

import json
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from tsdb.errors import CorruptBlock
from tsdb.ulid import is_ulid

VERSION: Literal[1] = 1


class Stats(Struct, frozen=True, rename="camel", omit_defaults=True):
    num_samples: int = 0
    num_float_samples: int = 0
    num_histogram_samples: int = 0
    num_series: int = 0
    num_chunks: int = 0
    num_tombstones: int = 0


class Parent(Struct, frozen=True, rename="camel"):
    """A direct input of a compaction."""

    ulid: str
    min_time: int
    max_time: int


class Compaction(Struct, frozen=True, omit_defaults=True):
    level: int
    sources: tuple[str, ...] = ()
    """All level-1 ancestors, ascending, unique; a level-1 block lists itself."""
    deletable: bool = False
    parents: tuple[Parent, ...] = ()
    failed: bool = False
    hints: tuple[str, ...] = ()


class Downsample(Struct, frozen=True):
    resolution: int
    """In ms: 0, 300000 or 3600000."""


class Hash(Struct, frozen=True):
    func: str = field(name="hashFunc")
    value: str


class File(Struct, frozen=True, omit_defaults=True):
    """One object of the block; meta.json lists itself without a size."""

    rel_path: str
    size_bytes: int = 0
    hash: Hash | None = None


class IndexStats(Struct, frozen=True, omit_defaults=True):
    """True upper bounds in bytes, or 0 for unknown: readers size their requests by them."""

    series_max_size: int = 0
    chunk_max_size: int = 0


class Thanos(Struct, frozen=True, omit_defaults=True):
    labels: dict[str, str] | None
    """External labels: they identify the stream a block belongs to."""
    downsample: Downsample
    source: str
    version: Literal[0, 1] = 0
    """1; where it is missing, 1 is meant."""
    segment_files: tuple[str, ...] = ()
    """Names inside `chunks/`, ascending."""
    files: tuple[File, ...] = ()
    """Every file of the block, ascending by path."""
    rewrites: tuple[Any, ...] = ()
    index_stats: IndexStats = IndexStats()
    extensions: dict[str, Any] | None = None
    """Free; ours stands under `forebay`."""
    upload_time: str = ""
    """RFC 3339, UTC; text, so that decoding and encoding change nothing."""


class Meta(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Sample times lie in [min_time, max_time): the upper bound is exclusive, unlike a chunk's."""

    ulid: str
    min_time: int
    max_time: int
    stats: Stats
    compaction: Compaction
    version: Literal[1]
    thanos: Thanos | None = None

    @property
    def labels(self) -> dict[str, str]:
        """External labels; none for a block that Prometheus wrote."""
        return (self.thanos.labels if self.thanos else None) or {}

    def encode(self) -> bytes:
        """Canonical: keys in the order above, those of free objects ascending, indented with tabs."""
        tree = msgspec.to_builtins(self, order="deterministic")
        return json.dumps(tree, indent="\t", ensure_ascii=False).encode() + b"\n"


_META = msgspec.json.Decoder(Meta)


def decode(data: bytes) -> Meta:
    """Raises CorruptBlock where `data` is not JSON of this form, its version is not 1, or its range is reversed."""
    try:
        meta = _META.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBlock(f"meta.json does not decode: error={str(error)!r}") from error
    if not is_ulid(meta.ulid) or meta.min_time > meta.max_time:
        raise CorruptBlock(
            f"meta.json is not of a block: ulid={meta.ulid!r} min_time={meta.min_time} max_time={meta.max_time}"
        )
    return meta
