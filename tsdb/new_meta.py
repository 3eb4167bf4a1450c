"""meta.json of a block that was just written: what follows from the writer, the same for built and merged blocks."""

from collections.abc import Sequence
from typing import Any

from tsdb.block_writer import BlockStats
from tsdb.meta import Compaction, Downsample, File, IndexStats, Meta, Stats, Thanos

META = "meta.json"


def new_meta(
    ulid: str,
    block: BlockStats,
    *,
    compaction: Compaction,
    labels: dict[str, str],
    source: str,
    files: Sequence[File],
    extensions: dict[str, Any],
    upload_time: str,
) -> Meta:
    """`files` are all but meta.json itself; `upload_time` is RFC 3339, UTC."""
    return Meta(
        version=1,
        ulid=ulid,
        min_time=block.min_time,
        max_time=block.max_time + 1,  # exclusive there
        stats=Stats(
            num_samples=block.samples,
            num_float_samples=block.float_samples,
            num_histogram_samples=block.histogram_samples,
            num_series=block.series,
            num_chunks=block.chunks,
        ),
        compaction=compaction,
        thanos=Thanos(
            labels=labels,
            downsample=Downsample(resolution=0),
            source=source,
            version=1,
            segment_files=tuple(block.segment_files),
            files=tuple(sorted([*files, File(rel_path=META)], key=lambda file: file.rel_path)),
            index_stats=IndexStats(series_max_size=block.series_max_size, chunk_max_size=block.chunk_max_size),
            extensions=extensions,
            upload_time=upload_time,
        ),
    )
