"""Replay: a range of segments, built again from the log where the bucket does not hold what it should.

chain of manifests --> whole?  ----------------------------> said, nothing written
        |              incomplete? log -> segment -> blocks -> compared with the manifest -> uploaded
        |              by other settings, and a rebuild? ----> consumers.replay_rebuild
        +-- no manifest -> log -> segment -> blocks -> published, as a consumer does
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import msgspec

from bucket.manifest import Followed, Manifest, Recipe
from bucket.manifests import ManifestStore
from consumers.builder import BuiltSegment
from consumers.replay_blocks import BlockCheck
from consumers.replay_log import CannotRebuild, ReplayLog
from consumers.replay_range import Span
from consumers.replay_report import BlockReport, SegmentReport, refused
from consumers.replay_workshop import Workshop
from consumers.segment import Segment


class Hole(NamedTuple):
    """Offsets that no manifest covers; `until` is None behind the newest one."""

    start: int
    until: int | None
    followed: tuple[Followed, ...]
    """Replicas of HA pairs, as the manifest before says."""


class Watch(Protocol):
    """Told how far a replay is; cheap."""

    def begin(self, span: Span) -> None:
        """All before is done."""
        ...

    def advance(self, partition: int, offset: int) -> None: ...


class Replay:
    """One run of the command. Beside consumers, the compactor and other replays: all of them make the same objects.

    One thread. All of `run` may be interrupted anywhere and repeated: nothing is written but what a consumer would have
    written.
    """

    def __init__(
        self,
        log: ReplayLog,
        manifests: ManifestStore,
        check: BlockCheck,
        workshop: Workshop,
        *,
        recipe: Recipe,
        watch: Watch,
        dry_run: bool,
    ) -> None:
        self._log = log
        self._manifests = manifests
        self._check = check
        self._workshop = workshop
        self._recipe = recipe
        self._watch = watch
        self._dry_run = dry_run

    def run(self, span: Span, stale: Callable[[Manifest], None] | None = None) -> Iterator[SegmentReport]:
        """Every segment that holds a record of the span, in order, each as soon as it is done.

        Where `stale` is given, it is told of manifests by another recipe, and these are left alone.

        Raises Abandoned, UnsupportedRecord, LogUnavailable, LogCorrupt, ManifestCorrupt, OSError of the local disk, and
        what the bucket raises.
        """
        digest = self._recipe.digest()
        for piece in self._pieces(span):
            self._log.go_on()
            if isinstance(piece, Hole):
                end = span.end if piece.until is None else piece.until
                self._watch.begin(Span(span.log_id, span.partition, piece.start, end))
                for report in self._fill(span, piece):
                    self._watch.advance(span.partition, report.end)
                    yield report
            elif stale is not None and piece.recipe_digest != digest:
                stale(piece)
            else:
                self._watch.begin(Span(span.log_id, span.partition, piece.start, piece.end))
                yield self._keep(piece)

    def _pieces(self, span: Span) -> Iterator[Manifest | Hole]:
        """The chain where it meets the span."""
        at = 0
        followed: tuple[Followed, ...] = ()
        for manifest in self._manifests.chain(span.log_id, span.partition):
            if manifest.start > at and manifest.start > span.start and at < span.end:
                yield Hole(at, manifest.start, followed)
            if manifest.end > span.start and manifest.start < span.end:
                yield manifest
            at = max(at, manifest.end)
            followed = manifest.followed_after
        if at < span.end:
            yield Hole(at, None, followed)

    def _keep(self, manifest: Manifest) -> SegmentReport:
        """A manifest stands: what it names must be there."""
        found = tuple(self._check.check(entry) for entry in manifest.blocks)
        report = SegmentReport(manifest.log_id, manifest.partition, manifest.start, manifest.end, "whole", blocks=found)
        wanted = {block.ulid for block in found if not block.is_sound}
        if not wanted:
            return report
        report = msgspec.structs.replace(report, state="incomplete")
        try:
            self._log.check(manifest)
            if self._dry_run:
                return report
            self._workshop.restore(manifest, wanted, self._log.standing(manifest))
        except CannotRebuild as error:
            return refused(report, error)
        return msgspec.structs.replace(report, done=True)

    def _fill(self, span: Span, hole: Hole) -> Iterator[SegmentReport]:
        """No manifest stands: what the cutter makes of these records is what a consumer would have published."""
        start, followed = hole.start, hole.followed
        end = span.end if hole.until is None else min(span.end, hole.until)
        while start < end:
            report = SegmentReport(span.log_id, span.partition, start, hole.until or span.end, "missing")
            try:
                self._log.check_hole(span.log_id, span.partition, start, hole.until)
                segment = self._log.next(span.partition, start, self._recipe, hole.until, followed)
                if segment is None:
                    yield msgspec.structs.replace(
                        report, state="open", end=span.end, reason="its segment has not ended: left to the live group"
                    )
                    return
            except CannotRebuild as error:
                yield refused(report, error)
                return
            start, followed = segment.end, segment.followed_after
            if start > span.start:
                report, standing = self._publish(segment, report)
                start = report.end
                followed = standing.followed_after if standing else followed
                yield report

    def _publish(self, segment: Segment, report: SegmentReport) -> tuple[SegmentReport, Manifest | None]:
        """The manifest that stands now, unless nothing was published."""
        found: list[BlockReport] = []
        adopted: list[Manifest] = []

        def publish(built: BuiltSegment) -> None:
            found.extend(self._check.check(entry) for entry in built.manifest.blocks)
            self._check_others(built.manifest)
            if not self._dry_run:
                compacted = {block.ulid for block in found if block.state == "compacted"}
                blocks = [block for block in built.blocks if block.entry.ulid not in compacted]
                adopted.append(self._workshop.publish(built._replace(blocks=blocks)).standing)

        report = msgspec.structs.replace(report, end=segment.end)
        try:
            self._workshop.build(segment, self._recipe, publish)
        except CannotRebuild as error:
            return refused(msgspec.structs.replace(report, blocks=tuple(found)), error), None
        standing = adopted[0] if adopted else None
        end = standing.end if standing else segment.end  # another may have been faster, and ended it elsewhere
        return msgspec.structs.replace(report, end=end, blocks=tuple(found), done=not self._dry_run), standing

    def _check_others(self, manifest: Manifest) -> None:
        """Raises CannotRebuild where the segment was built by other settings: its samples would be there twice."""
        ours = {entry.ulid for entry in manifest.blocks}
        there = self._check.strangers(manifest.log_id, manifest.partition, manifest.start) - ours
        compacted = self._check.compacted_at(manifest.last_append_time) - ours
        compacted = compacted.difference(*(named for _, named in self._manifests.naming(compacted)))
        if there or compacted:
            raise CannotRebuild(
                f"blocks of this segment by other settings are there: blocks={','.join(sorted(there | compacted))}",
                hint="put the settings back that it was built with, replay, and rebuild it under new ones then",
            )
