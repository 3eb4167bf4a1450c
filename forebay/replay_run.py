"""The parts of a replay put together: what consumers know of the log, and what the compactor knows of merging."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from broker.log import LogReader
from bucket.blocks import Block, BlockCatalog
from bucket.bucket import Bucket
from bucket.manifest import Manifest, Recipe
from bucket.manifests import ManifestStore
from bucket.workspace import Workspace
from compactor.merge_job import Merger
from compactor.plan import Job, in_order
from consumers.replay import Replay, Watch
from consumers.replay_blocks import BlockCheck
from consumers.replay_log import ReplayLog
from consumers.replay_neighbours import Neighbours
from consumers.replay_range import Span
from consumers.replay_rebuild import Rebuild, Stale
from consumers.replay_report import SegmentReport
from consumers.replay_workshop import Workshop
from consumers.retry import Retry
from consumers.settings import SegmentSettings
from forebay.clock import Clock


class ReplayRun:
    """One run, over one log and one bucket."""

    def __init__(
        self,
        reader: LogReader,
        bucket: Bucket,
        *,
        recipe: Recipe,
        segment: SegmentSettings,
        threads: int,
        segment_bytes: int,
        workspace: Workspace,
        clock: Clock,
        stop: threading.Event,
        retry: Retry,
        watch: Watch,
        dry_run: bool,
    ) -> None:
        log = ReplayLog(reader, clock=clock, grace=int(segment.grace), stop=stop, advance=watch.advance)
        manifests, check = ManifestStore(bucket), BlockCheck(bucket, BlockCatalog(bucket))
        workshop = Workshop(bucket, manifests, threads=threads, workspace=workspace, retry=retry)
        merger = Merger(bucket, workspace, segment_bytes)
        neighbours = Neighbours(bucket, manifests, log, workshop, partial(_remerge, merger))
        self._replay = Replay(log, manifests, check, workshop, recipe=recipe, watch=watch, dry_run=dry_run)
        self._rebuild = Rebuild(
            log, bucket, manifests, workshop, neighbours, recipe=recipe, watch=watch, dry_run=dry_run
        )

    def run(self, spans: Sequence[Span], *, rebuild: bool) -> Iterator[SegmentReport]:
        """Each segment as soon as it is done. Raises as `Replay.run` and `Rebuild.run`."""
        stale: list[Stale] = []

        def leave(manifest: Manifest) -> None:
            stale.append(Stale.of(manifest))

        leaves: Callable[[Manifest], None] | None = leave if rebuild else None
        for span in spans:
            yield from self._replay.run(span, leaves)
        yield from self._rebuild.run(stale)


def _remerge(merger: Merger, output: Block, sources: Sequence[Block]) -> None:
    """Some of an output's sources, as the compactor would have merged them without the others."""
    labels = tuple(sorted(output.labels.items()))
    merger.run(Job(output.tenant, output.window, labels, in_order(sources)))
