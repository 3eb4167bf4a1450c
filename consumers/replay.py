"""Replay: a range of segments, built again from the log where the bucket does not hold what it should.

chain of manifests --> whole?  ----------------------------> said, nothing written
        |              incomplete? log -> segment -> blocks -> compared with the manifest -> uploaded
        +-- no manifest -> log -> segment -> blocks -> published, as a consumer does
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from bucket.bucket import Bucket
from bucket.manifest import Followed, Manifest, Recipe
from bucket.manifests import ManifestStore
from consumers.builder import Builder, BuiltSegment
from consumers.publisher import Publisher
from consumers.quarantine import BucketQuarantine
from consumers.replay_blocks import BlockCheck
from consumers.replay_log import CannotRebuild, ReplayLog
from consumers.replay_range import Span
from consumers.replay_report import BlockReport, SegmentReport
from consumers.retry import Retry
from consumers.segment import Segment
from forebay.errors import InvalidData


class Hole(NamedTuple):
    """Offsets that no manifest covers; `until` is None behind the newest one."""

    start: int
    until: int | None
    followed: tuple[Followed, ...]
    """Replicas of HA pairs, as the manifest before says."""


class Replay:
    """One run of the command. Beside consumers, the compactor and other replays: all of them make the same objects.

    `directory` is its own, for blocks between building and uploading. One thread.
    """

    def __init__(
        self,
        log: ReplayLog,
        bucket: Bucket,
        *,
        recipe: Recipe,
        threads: int,
        directory: Path,
        retry: Retry,
        dry_run: bool,
        done: Callable[[int, int], None],
    ) -> None:
        self._log = log
        self._manifests = ManifestStore(bucket)
        self._publisher = Publisher(bucket, self._manifests, BucketQuarantine(bucket))
        self._check = BlockCheck(bucket)
        self._recipe = recipe
        self._threads = threads
        self._directory = directory
        self._retry = retry
        self._dry_run = dry_run
        self._done = done
        self._numbers = itertools.count(1)

    def run(self, span: Span) -> Iterator[SegmentReport]:
        """Every segment that holds a record of the span, in order, each as soon as it is done.

        May be interrupted anywhere and repeated: nothing is written but what a consumer would have written.
        Raises Abandoned, UnsupportedRecord, LogUnavailable, LogCorrupt, ManifestCorrupt, OSError of the local disk, and
        what the bucket raises.
        """
        for piece in self._pieces(span):
            self._log.go_on()
            if isinstance(piece, Hole):
                for report in self._fill(span, piece):
                    self._done(span.partition, report.end)
                    yield report
            else:
                yield self._keep(piece)
                self._done(span.partition, piece.end)

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
            segment = self._log.standing(manifest)
            self._build(segment, manifest.recipe, partial(self._restore, manifest, wanted))
        except CannotRebuild as error:
            return _refused(report, error)
        return msgspec.structs.replace(report, done=True)

    def _restore(self, manifest: Manifest, wanted: set[str], built: BuiltSegment) -> None:
        """Uploads what is wanted, once all is known to be what the manifest names."""
        if built.manifest.blocks != manifest.blocks:
            named = {entry.ulid: entry for entry in manifest.blocks}
            other = [entry.ulid for entry in built.manifest.blocks if named.get(entry.ulid) != entry]
            raise CannotRebuild(
                f"the log gives other blocks than its manifest names: built={','.join(other)}",
                hint="the log was damaged since, or this is a bug: restore the blocks from a copy of the bucket",
            )
        blocks = [block for block in built.blocks if block.entry.ulid in wanted]
        self._publisher.upload(BuiltSegment(manifest, blocks, []), self._retry)

    def _fill(self, span: Span, hole: Hole) -> Iterator[SegmentReport]:
        """No manifest stands: what the cutter makes of these records is what a consumer would have published."""
        start, followed = hole.start, hole.followed
        end = span.end if hole.until is None else min(span.end, hole.until)
        while start < end:
            report = SegmentReport(span.log_id, span.partition, start, hole.until or span.end, "missing")
            try:
                segment = self._log.next(span.partition, start, self._recipe, hole.until, followed)
                if segment is None:
                    yield msgspec.structs.replace(
                        report, state="open", end=span.end, reason="its segment has not ended: left to the live group"
                    )
                    return
            except CannotRebuild as error:
                yield _refused(report, error)
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
            ours = {block.ulid for block in found}
            others = [
                block.ulid
                for block in self._check.strangers(report.log_id, report.partition, report.start)
                if block.ulid not in ours
            ]
            if others:
                raise CannotRebuild(
                    f"blocks of this segment by other settings are there: blocks={','.join(others)}",
                    hint="put the settings back that it was built with",
                )
            if not self._dry_run:
                compacted = {block.ulid for block in found if block.state == "compacted"}
                blocks = [block for block in built.blocks if block.entry.ulid not in compacted]
                published = self._publisher.publish(BuiltSegment(built.manifest, blocks, built.poison), self._retry)
                adopted.append(published.standing)

        report = msgspec.structs.replace(report, end=segment.end)
        try:
            self._build(segment, self._recipe, publish)
        except CannotRebuild as error:
            return _refused(msgspec.structs.replace(report, blocks=tuple(found)), error), None
        standing = adopted[0] if adopted else None
        end = standing.end if standing else segment.end  # another may have been faster, and ended it elsewhere
        return msgspec.structs.replace(report, end=end, blocks=tuple(found), done=not self._dry_run), standing

    def _build(self, segment: Segment, recipe: Recipe, use: Callable[[BuiltSegment], None]) -> None:
        """Builds the segment's blocks on local disk for as long as they are used."""
        directory = self._directory / f"{next(self._numbers)}"
        builder = Builder(recipe, self._threads)
        try:
            use(builder.build(segment, directory))
        finally:
            builder.close()
            shutil.rmtree(directory, ignore_errors=True)


def _refused(report: SegmentReport, error: InvalidData) -> SegmentReport:
    return msgspec.structs.replace(report, state="refused", reason=error.args[0], hint=error.hint)
