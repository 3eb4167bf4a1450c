"""meta.json of a compacted block: wholly from its sources."""

from collections.abc import Sequence

from bucket import layout
from compactor.plan import Job
from tsdb.block_writer import BlockStats
from tsdb.meta import Compaction, Downsample, File, IndexStats, Meta, Parent, Stats, Thanos
from tsdb.series_merge import SeriesCounts

SOURCE = "compactor"
"""Of the names that Thanos knows, one whose blocks its readers take at once."""


def describe_output(
    ulid: str, job: Job, metas: Sequence[Meta], *, block: BlockStats, counts: SeriesCounts, files: Sequence[File]
) -> Meta:
    """`metas` are those of the job's sources, `files` all but meta.json itself."""
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
        compaction=Compaction(
            level=max(meta.compaction.level for meta in metas) + 1,
            sources=tuple(sorted({source for meta in metas for source in meta.compaction.sources})),
            parents=tuple(Parent(meta.ulid, meta.min_time, meta.max_time) for meta in metas),
        ),
        thanos=Thanos(
            labels=dict(job.labels),
            downsample=Downsample(resolution=0),
            source=SOURCE,
            version=1,
            segment_files=tuple(block.segment_files),
            files=tuple(sorted([*files, File(rel_path=layout.META)], key=lambda file: file.rel_path)),
            index_stats=IndexStats(series_max_size=block.series_max_size, chunk_max_size=block.chunk_max_size),
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
                }
            },
            # RFC 3339 in one form sorts as time does.
            upload_time=max(meta.thanos.upload_time for meta in metas if meta.thanos),
        ),
    )
