"""meta.json of a compacted block: wholly from its sources."""

from collections.abc import Sequence

from compactor.plan import Job
from tsdb.block_writer import BlockStats
from tsdb.meta import Compaction, File, Meta, Parent
from tsdb.new_meta import new_meta
from tsdb.series_merge import SeriesCounts

SOURCE = "compactor"
"""Of the names that Thanos knows, one whose blocks its readers take at once."""


def describe_output(
    ulid: str, job: Job, metas: Sequence[Meta], *, block: BlockStats, counts: SeriesCounts, files: Sequence[File]
) -> Meta:
    """`metas` are those of the job's sources, `files` all but meta.json itself."""
    return new_meta(
        ulid,
        block,
        compaction=Compaction(
            level=max(meta.compaction.level for meta in metas) + 1,
            sources=tuple(sorted({source for meta in metas for source in meta.compaction.sources})),
            parents=tuple(Parent(meta.ulid, meta.min_time, meta.max_time) for meta in metas),
        ),
        labels=dict(job.labels),
        source=SOURCE,
        files=files,
        extensions={
            "forebay": {
                "compacted": True,
                "tenant": job.tenant,
                "window": job.window,
                "blocks": len(metas),
                "samples": {
                    "read": counts.read,
                    "written": counts.written,
                    "duplicate": counts.duplicate,
                    "conflicting": counts.conflicting,
                },
            },
        },
        # RFC 3339 in one form sorts as time does.
        upload_time=max(meta.thanos.upload_time for meta in metas if meta.thanos),
    )
