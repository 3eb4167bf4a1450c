"""Rebuild: a range under the recipe of the settings now, put in force in place of what was there at one moment.

manifests by other recipes, slot by slot, all partitions together
   |-> log -> segments as the cutter cuts them now -> blocks, uploaded: nobody counts them yet
   |-> what was compacted together with the old blocks: the rest of it into blocks of its own
   +-> the next generation: from here on the new ones count, and the old ones and all that was made of them do not
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import groupby
from typing import NamedTuple

import msgspec

from bucket import layout
from bucket.blocks import BlockCatalog
from bucket.bucket import Bucket
from bucket.generations import Generation, Overtaken
from bucket.manifest import Followed, Manifest, Recipe
from bucket.manifests import ManifestStore
from consumers.builder import BuiltSegment
from consumers.replay import Watch
from consumers.replay_blocks import BlockCheck
from consumers.replay_log import CannotRebuild, ReplayLog
from consumers.replay_neighbours import Neighbours
from consumers.replay_range import Span
from consumers.replay_report import BlockReport, SegmentReport, refused
from consumers.replay_workshop import Workshop
from forebay.errors import Retryable


class BlockVanished(Retryable):
    """What was uploaded is not there any more: all of the slot is built once more."""


class Stale(NamedTuple):
    """Where a manifest by another recipe lies."""

    log_id: str
    partition: int
    start: int
    end: int
    last_append_time: int

    @classmethod
    def of(cls, manifest: Manifest) -> "Stale":
        return cls(manifest.log_id, manifest.partition, manifest.start, manifest.end, manifest.last_append_time)


class _Rebuilt(NamedTuple):
    """A run of neighbouring manifests of one partition, and what is to stand there instead."""

    old: list[Manifest]
    new: list[Manifest]
    reports: list[SegmentReport]


class Rebuild:
    """One run of the command. One thread. May be interrupted anywhere and repeated.

    What is in force changes only with the one write that adds a generation; whatever else was written before is an
    orphan, or is written again.
    """

    def __init__(
        self,
        log: ReplayLog,
        bucket: Bucket,
        manifests: ManifestStore,
        workshop: Workshop,
        neighbours: Neighbours,
        *,
        recipe: Recipe,
        watch: Watch,
        dry_run: bool,
    ) -> None:
        self._log = log
        self._bucket = bucket
        self._manifests = manifests
        self._catalog = BlockCatalog(bucket)
        self._workshop = workshop
        self._neighbours = neighbours
        self._recipe = recipe
        self._digest = recipe.digest()
        self._watch = watch
        self._dry_run = dry_run

    def run(self, stale: Iterable[Stale]) -> Iterator[SegmentReport]:
        """Swaps slot by slot, so that partitions that were compacted together are replaced together.

        Slots are aligned to the epoch, as segments are, and as long as a window, or as a segment where that is longer.
        Raises as `Replay.run`, and NeighboursChanging.
        """
        length = max(self._recipe.window, self._recipe.segment_interval)
        in_slots = sorted(stale, key=lambda each: (each.log_id, each.last_append_time // length, each))
        for (log_id, _), slot in groupby(in_slots, lambda each: (each.log_id, each.last_append_time // length)):
            wanted = list(slot)
            while True:
                try:
                    yield from self._workshop.retry.until_done(partial(self._swap, log_id, wanted))
                    break
                except Overtaken:
                    continue  # another rebuild's generation stands: see what is left to do on top of it

    def _swap(self, log_id: str, wanted: Sequence[Stale]) -> list[SegmentReport]:
        """One generation."""
        newest = self._manifests.generations.load().newest.get(log_id, 0)
        check = BlockCheck(self._bucket, self._catalog)
        reports: list[SegmentReport] = []
        rebuilt: list[_Rebuilt] = []
        for run in _runs(self._in_force(wanted, reports)):
            try:
                rebuilt.append(self._build(run, check))
            except CannotRebuild as error:
                reports += [refused(_report(manifest), error) for manifest in run]
        if not rebuilt:
            return reports
        manifests = [manifest for each in rebuilt for manifest in each.new]
        named = _ulids(manifests)
        retired = _ulids(manifest for each in rebuilt for manifest in each.old) - named
        found = [report for each in rebuilt for report in each.reports]
        try:
            outputs = self._neighbours.plan(retired) if self._dry_run else self._neighbours.save(retired)
        except CannotRebuild as error:
            return reports + [refused(report, error) for report in found]
        if outputs:
            found[0] = msgspec.structs.replace(found[0], reason=f"was compacted, too: blocks={','.join(outputs)}")
        if self._dry_run:
            return reports + found
        self._check_whole(manifests)
        generation = Generation(log_id, newest + 1, tuple(manifests), tuple(sorted(retired)))
        self._workshop.retry.until_done(lambda: self._manifests.generations.add(generation))
        self._unmark(named, check)  # again: the compactor may have marked them while they did not count yet
        return reports + [msgspec.structs.replace(report, done=True) for report in found]

    def _in_force(self, wanted: Sequence[Stale], reports: list[SegmentReport]) -> Iterator[Manifest]:
        """Their manifests, but for those that somebody rebuilt meanwhile, or that the log cannot give again."""
        end: tuple[int, int] | None = None
        for stale in sorted(wanted):
            manifest = self._manifests.get(stale.log_id, stale.partition, stale.start)
            if manifest is None or manifest.recipe_digest == self._digest or end == (manifest.partition, manifest.end):
                continue
            end = (manifest.partition, manifest.end)
            try:
                self._log.check_records(manifest)
            except CannotRebuild as error:
                reports.append(refused(_report(manifest), error))
            else:
                yield manifest

    def _build(self, run: list[Manifest], check: BlockCheck) -> _Rebuilt:
        """Cuts and builds the records of a run of manifests anew; uploads the blocks, which do not count yet."""
        partition, start, until = run[0].partition, run[0].start, run[-1].end
        self._watch.begin(Span(run[0].log_id, partition, start, until))
        rebuilt = _Rebuilt(run, [], [])

        def use(built: BuiltSegment) -> None:
            blocks = tuple(check.compare(entry) for entry in built.manifest.blocks)
            if not self._dry_run:
                self._workshop.upload(built)
                self._unmark({block.ulid for block in blocks}, check)
            rebuilt.new.append(built.manifest)
            rebuilt.reports.append(_report(built.manifest, blocks=blocks, replaces=_replaced(run, built.manifest)))

        followed = self._followed_before(run[0])
        while start < until:
            segment = self._log.next(partition, start, self._recipe, until, followed)
            if segment is None:
                raise ValueError(f"segment did not end partition={partition} start={start} until={until}")
            self._workshop.build(segment, self._recipe, use)
            start, followed = segment.end, segment.followed_after
        _check_samples(run, rebuilt.new)
        return rebuilt

    def _followed_before(self, first: Manifest) -> tuple[Followed, ...]:
        """Of HA pairs: what a consumer with these settings began with here, or would have, as far as is known.

        From the bucket alone, so that a rebuild that was interrupted makes the same blocks when it is repeated.
        """
        place = (first.log_id, first.partition)
        original = self._manifests.original(*place, first.start)
        if original is not None and original.recipe_digest == self._digest:
            return original.followed_before
        rebuilt = self._manifests.get(*place, first.start - 1) if first.start else None
        if rebuilt is not None and (rebuilt.end, rebuilt.recipe_digest) == (first.start, self._digest):
            return rebuilt.followed_after
        return first.followed_before

    def _check_whole(self, manifests: Iterable[Manifest]) -> None:
        """The last look before they count: what took longer than the compactor's orphan delay may be gone again."""
        for entry in (entry for manifest in manifests for entry in manifest.blocks):
            sizes = {info.key: info.size for info in self._bucket.list(f"{entry.ulid}/")}
            if any(sizes.get(layout.block_key(entry.ulid, file.path)) != file.size for file in entry.files):
                raise BlockVanished(
                    f"a block is gone again before it counts: ulid={entry.ulid}",
                    hint="see that compactor.orphan_delay is above the time that a rebuild takes for two hours of data",
                )

    def _unmark(self, ulids: AbstractSet[str], check: BlockCheck) -> None:
        """Blocks that counted before, did not for a while, and now do again."""
        self._workshop.unmark(sorted(ulids & check.blocks.keys()))


def _runs(manifests: Iterable[Manifest]) -> Iterator[list[Manifest]]:
    """Those that follow each other without a gap, within a partition."""
    run: list[Manifest] = []
    for manifest in manifests:
        if run and (run[-1].partition, run[-1].end) != (manifest.partition, manifest.start):
            yield run
            run = []
        run.append(manifest)
    if run:
        yield run


def _ulids(manifests: Iterable[Manifest]) -> set[str]:
    return {entry.ulid for manifest in manifests for entry in manifest.blocks}


def _replaced(run: Sequence[Manifest], new: Manifest) -> tuple[str, ...]:
    """Each block of the run is named with one of the new manifests: that in which its segment began."""
    return tuple(sorted(_ulids(old for old in run if new.start <= old.start < new.end)))


def _report(
    manifest: Manifest, *, blocks: tuple[BlockReport, ...] = (), replaces: tuple[str, ...] = ()
) -> SegmentReport:
    place = (manifest.log_id, manifest.partition, manifest.start, manifest.end)
    return SegmentReport(*place, "stale", blocks=blocks, replaces=replaces)


def _check_samples(old: Iterable[Manifest], new: Iterable[Manifest]) -> None:
    """No sample that was read then may be missing now: the log may be damaged since. More may be read."""
    before, now = _samples(old), _samples(new)
    for tenant, samples in before.items():
        if now[tenant] < samples:
            raise CannotRebuild(
                f"the log gives fewer samples than were built of it: tenant={tenant} then={samples} now={now[tenant]}",
                hint="the log was damaged since: leave this range as it is",
            )


def _samples(manifests: Iterable[Manifest]) -> Counter[str]:
    """As they entered, by tenant."""
    counts = Counter[str]()
    for manifest in manifests:
        counts.update({tenant: ledger.samples for tenant, ledger in manifest.ledger.items()})
    return counts
