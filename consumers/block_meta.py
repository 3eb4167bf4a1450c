"""meta.json of a level-1 block: wholly from the log and the recipe, `upload_time` too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bucket import layout
from bucket.manifest import FileEntry, Recipe
from consumers.naming import BlockIdentity
from tsdb.block_writer import BlockStats
from tsdb.meta import Compaction, Downsample, File, IndexStats, Meta, Stats, Thanos

SOURCE = "receive"
"""Of the names that Thanos knows, the one of blocks made from remote write."""


def describe_block(
    identity: BlockIdentity, recipe: Recipe, stats: BlockStats, files: Sequence[FileEntry], last_append_time: int
) -> Meta:
    """`files` are all but meta.json itself."""
    ulid = identity.ulid(last_append_time)
    listed = [File(rel_path=entry.path, size_bytes=entry.size) for entry in files]
    return Meta(
        version=1,
        ulid=ulid,
        min_time=stats.min_time,
        max_time=stats.max_time + 1,  # exclusive there
        stats=Stats(
            num_samples=stats.samples,
            num_float_samples=stats.float_samples,
            num_histogram_samples=stats.histogram_samples,
            num_series=stats.series,
            num_chunks=stats.chunks,
        ),
        compaction=Compaction(level=1, sources=(ulid,)),
        thanos=Thanos(
            labels={**recipe.external_labels, recipe.tenant_label: identity.tenant},
            downsample=Downsample(resolution=0),
            source=SOURCE,
            version=1,
            segment_files=tuple(stats.segment_files),
            files=tuple(sorted([*listed, File(rel_path=layout.META)], key=lambda file: file.rel_path)),
            index_stats=IndexStats(series_max_size=stats.series_max_size, chunk_max_size=stats.chunk_max_size),
            extensions={
                "forebay": {
                    "log_id": identity.log_id,
                    "partition": identity.partition,
                    "start": identity.start,
                    "end": identity.end,
                    "tenant": identity.tenant,
                    "window": identity.window,
                    "recipe": identity.recipe_digest,
                }
            },
            upload_time=rfc3339(last_append_time),
        ),
    )


def rfc3339(time_ms: int) -> str:
    """As Thanos writes `upload_time`, in whole milliseconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
