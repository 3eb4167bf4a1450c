"""meta.json of a level-1 block: wholly from the log and the recipe, `upload_time` too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bucket.manifest import FileEntry, Recipe
from consumers.naming import BlockIdentity
from tsdb.block_writer import BlockStats
from tsdb.meta import Compaction, File, Meta
from tsdb.new_meta import new_meta

SOURCE = "receive"
"""Of the names that Thanos knows, the one of blocks made from remote write."""


def describe_block(
    identity: BlockIdentity, recipe: Recipe, stats: BlockStats, files: Sequence[FileEntry], last_append_time: int
) -> Meta:
    """`files` are all but meta.json itself."""
    ulid = identity.ulid(last_append_time)
    return new_meta(
        ulid,
        stats,
        compaction=Compaction(level=1, sources=(ulid,)),
        labels={**recipe.external_labels, recipe.tenant_label: identity.tenant},
        source=SOURCE,
        files=[File(rel_path=entry.path, size_bytes=entry.size) for entry in files],
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
    )


def rfc3339(time_ms: int) -> str:
    """As Thanos writes `upload_time`, in whole milliseconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
