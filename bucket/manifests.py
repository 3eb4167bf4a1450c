"""The manifest chains in the bucket: what says how far each partition is built (DESIGN section 5)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from bucket.bucket import Bucket, ObjectNotFound, PreconditionFailed
from bucket.generations import Generations
from bucket.layout import SEGMENTS, manifest_key, partition_prefix
from bucket.manifest import MANIFEST_DECODER, MANIFEST_VERSION, Manifest
from bucket.overlay import Overlay, RebuiltRef
from bucket.rollups import ManifestCorrupt, Rollup, RollupRef, Rollups, decode, restore_hint
from forebay.errors import Fatal

_NAME = re.compile(r"(\d{20})\.json")
_FIRST_STEP = 1 << 16  # offsets; more than most segments hold, so that one listing finds the last manifest
_STEP_GROWTH = 1 << 6


class ManifestVanished(Fatal):
    """A part of a chain was there when it was listed, and is nowhere now."""


class Single(NamedTuple):
    """A manifest that stands alone under its own key."""

    log_id: str
    partition: int
    start: int

    @property
    def key(self) -> str:
        return manifest_key(*self)


class RollupSlice(NamedTuple):
    """What of a roll-up no generation has replaced."""

    ref: RollupRef
    start: int
    end: int

    @property
    def key(self) -> str:
        return self.ref.key


Part = Single | RollupRef | RollupSlice | RebuiltRef
"""A part of a chain, as it lies in the bucket."""


class ManifestStore:
    """Reads and extends the chains. Thread-safe; may be used by any number of processes on one bucket.

    A manifest is created at its key once and for ever, and rolled up some day. Where a rebuild has replaced it, the
    newest generation is in force in its place: all methods speak of that, but for `original`.

    Every method may raise ManifestCorrupt, BucketUnavailable and BucketMisconfigured.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._rollups = Rollups(bucket)
        self.generations = Generations(bucket)

    def create(self, manifest: Manifest) -> Manifest:
        """Commits a segment; durable when it returns. May be repeated, also after BucketUnavailable.

        Returns the manifest that stands for that segment: this one, or the one of whoever was first, which the caller
        adopts. One with the same bytes is the caller's own earlier attempt or a twin's; either way it is done.
        """
        created = self._create(manifest)
        return self._in_force(manifest.log_id, manifest.partition, manifest.start) or created

    def _create(self, manifest: Manifest) -> Manifest:
        single = Single(manifest.log_id, manifest.partition, manifest.start)
        try:
            self._bucket.create(single.key, manifest.encode())
        except PreconditionFailed:
            standing = self._get(single, self._rollups.list(*single[:2]))
            if standing is None:
                raise Fatal(f"a standing manifest vanished key={single.key}", hint=restore_hint(single.key)) from None
            return standing
        # Nothing stood there. Either this is the newest segment, or the original was rolled up and removed since the
        # caller last looked: the newest of a partition never is. Then the roll-up is there already, and wins.
        if next(self._bucket.list(partition_prefix(*single[:2]), single.key), None) is not None:
            rolled = self._rollups.find(*single)
            if rolled is not None:
                self._bucket.delete(single.key)
                return rolled
        return manifest

    def get(self, log_id: str, partition: int, start: int) -> Manifest | None:
        """The manifest of the segment that begins at `start`; after a rebuild, of the one that holds it.

        Two listings and one read.
        """
        return self._in_force(log_id, partition, start) or self.original(log_id, partition, start)

    def original(self, log_id: str, partition: int, start: int) -> Manifest | None:
        """The one that was created for this segment, whatever has replaced it since; one listing and one read."""
        return self.get_many(log_id, partition, [start]).get(start)

    def get_many(self, log_id: str, partition: int, starts: Iterable[int]) -> dict[int, Manifest]:
        """As `original`, by start; one listing, and one read for each that is not rolled up."""
        refs = self._rollups.list(log_id, partition)
        found = {}
        for start in sorted(set(starts)):
            manifest = self._get(Single(log_id, partition, start), refs)
            if manifest is not None and manifest.start == start:
                found[start] = manifest
        return found

    def last(self, log_id: str, partition: int, hint: int | None = None) -> Manifest | None:
        """The end of the chain: the manifest with the greatest start; None for a partition that has none.

        `hint` is an offset near the end of the chain, such as the group's committed offset. A good one makes this one
        listing and one read; a bad one, on either side, costs more listings, never a wrong answer.
        """
        # A listing that is not empty ends with the greatest key, wherever it began.
        behind = _FIRST_STEP
        starts: Sequence[int] = ()
        while not starts and hint is not None and hint > behind:
            starts = self._starts(log_id, partition, hint - behind)
            behind *= _STEP_GROWTH
        starts = starts or self._starts(log_id, partition)
        last = self.read(Single(log_id, partition, starts[-1]))[0] if starts else None
        rebuilt = self.generations.load().refs(log_id, partition)
        if rebuilt and (last is None or rebuilt[-1].end >= last.end):
            return self.generations.read(rebuilt[-1])
        return last

    def chain(self, log_id: str, partition: int) -> Iterator[Manifest]:
        """All manifests of a partition, ascending by start. Holds one part in memory at a time."""
        for part in self.parts(log_id, partition):
            yield from self.read(part)

    def newer(self, manifest: Manifest) -> Sequence[Part]:
        """Manifests that were created behind this one, ascending; rebuilds aside. One listing."""
        of_chain = manifest.log_id, manifest.partition
        return [Single(*of_chain, start) for start in self._starts(*of_chain, manifest.end - 1)]

    def parts(self, log_id: str, partition: int, overlay: Overlay | None = None) -> Sequence[Part]:
        """What the chain is made of, ascending; roll-ups hide the manifests they cover, generations hide both.

        `overlay`: as of this moment rather than now.
        """
        rebuilt = (overlay or self.generations.load()).refs(log_id, partition)
        starts = self._starts(log_id, partition)
        refs = self._rollups.list(
            log_id, partition
        )  # second, so that what was moved meanwhile is seen twice, not never
        singles = [start for start in starts if not _covering(refs, start) and not _covering(rebuilt, start)]
        slices = [part for ref in refs for part in _uncovered(ref, rebuilt)]
        parts: list[Part] = [*(Single(log_id, partition, start) for start in singles), *slices, *rebuilt]
        return sorted(parts, key=lambda part: part.start)

    def read(self, part: Part) -> tuple[Manifest, ...]:
        """The manifests of a part. Raises ManifestVanished."""
        try:
            if isinstance(part, RebuiltRef):
                return (self.generations.read(part),)
            if isinstance(part, RollupRef):
                return self._rollups.read(part).manifests
            if isinstance(part, RollupSlice):
                rolled = self._rollups.read(part.ref).manifests
                return tuple(manifest for manifest in rolled if part.start <= manifest.start < part.end)
            manifest = self._get(part, ())
        except ObjectNotFound:  # of a roll-up
            manifest = None
        if manifest is None:
            raise ManifestVanished(
                f"a manifest vanished while the chain was read key={part.key}", hint=restore_hint(part.key)
            )
        return (manifest,)

    def log_ids(self) -> list[str]:
        """Of every log that has a chain, ascending; one listing."""
        return sorted(self._bucket.list_dirs(SEGMENTS))

    def partitions(self, overlay: Overlay | None = None) -> Iterator[tuple[str, int]]:
        """(log id, partition) of every chain; `overlay` as for `parts`."""
        rebuilt = set((overlay or self.generations.load()).partitions())
        for log_id in sorted({*self.log_ids(), *(log_id for log_id, _ in rebuilt)}):
            names = self._bucket.list_dirs(f"{SEGMENTS}{log_id}/")
            numbers = {int(name) for name in names if name.isdecimal()}
            for partition in sorted(numbers | {partition for of_log, partition in rebuilt if of_log == log_id}):
                yield log_id, partition

    def naming(self, ulids: AbstractSet[str]) -> Iterator[tuple[Manifest, set[str]]]:
        """Manifests in force that name any of these blocks, and which. Looks through all chains until all are found."""
        left = set(ulids)
        for log_id, partition in self.partitions() if left else ():
            for manifest in self.chain(log_id, partition):
                if named := left.intersection(entry.ulid for entry in manifest.blocks):
                    yield manifest, named
                    left -= named
                if not left:
                    return

    def roll_up(self, log_id: str, partition: int, *, keep: int = 128, size: int = 256) -> int:
        """Rolls up full runs of `size` manifests, leaving the newest `keep` alone; returns how many it removed.

        What is rolled up is removed by the next call, so a reader has that long to finish what it began. May be
        interrupted anywhere and run by many at once: each roll-up begins where the one before it ended and has `size`
        manifests, so all make the same objects. `size` must be the same for all of them.
        """
        if keep < 1 or size < 1:
            raise ValueError(f"the newest manifest must stay keep={keep} size={size}")
        old = self._starts(log_id, partition)[:-keep]
        refs = self._rollups.list(log_id, partition)
        removed = sum(self._remove_rolled(Single(log_id, partition, start), refs) for start in old)
        left = [start for start in old if not _covering(refs, start)]
        for at in range(0, len(left) - size + 1, size):
            run = [self.read(Single(log_id, partition, start))[0] for start in left[at : at + size]]
            expected = refs[-1].end if refs else run[0].start
            rollup = Rollup(log_id, partition, run[0].start, run[-1].end, tuple(run))
            if run[0].start != expected or not rollup.is_whole():
                break  # a broken chain: forebay audit says where; nothing of it is moved
            ref = RollupRef(log_id, partition, rollup.start, rollup.end)
            try:
                self._bucket.create(ref.key, rollup.encode())
            except PreconditionFailed:
                self._rollups.read(ref)  # another made it; it is checked before anything relies on it
            refs = (*refs, ref)
        return removed

    def _remove_rolled(self, single: Single, refs: Sequence[RollupRef]) -> bool:
        ref = _covering(refs, single.start)
        rolled = self._rollups.read(ref).find(single.start) if ref else None
        if rolled is None or rolled.start != single.start:
            return False
        self._bucket.delete(single.key)
        return True

    def _in_force(self, log_id: str, partition: int, offset: int) -> Manifest | None:
        ref = self.generations.load().find(log_id, partition, offset)
        return self.generations.read(ref) if ref else None

    def _get(self, single: Single, refs: Sequence[RollupRef]) -> Manifest | None:
        ref = _covering(refs, single.start)
        if ref is not None:
            return self._rollups.read(ref).find(single.start)
        try:
            data = self._bucket.get(single.key)
        except ObjectNotFound:
            return self._rollups.find(*single)  # rolled up and removed since the listing, or never there
        manifest = decode(data, MANIFEST_DECODER, single.key, MANIFEST_VERSION)
        if (manifest.log_id, manifest.partition, manifest.start) != single or manifest.end <= manifest.start:
            raise ManifestCorrupt(
                f"manifest is not the one its key names key={single.key}", hint=restore_hint(single.key)
            )
        return manifest

    def _starts(self, log_id: str, partition: int, after: int = -1) -> Sequence[int]:
        prefix = partition_prefix(log_id, partition)
        start_after = manifest_key(log_id, partition, after) if after >= 0 else ""
        names = (_NAME.fullmatch(info.key.removeprefix(prefix)) for info in self._bucket.list(prefix, start_after))
        return [int(name[1]) for name in names if name]


_Covering = TypeVar("_Covering", RollupRef, RebuiltRef)


def _covering(refs: Sequence[_Covering], offset: int) -> _Covering | None:
    return next((ref for ref in refs if ref.start <= offset < ref.end), None)


def _uncovered(rollup: RollupRef, rebuilt: Sequence[RebuiltRef]) -> Iterator[RollupRef | RollupSlice]:
    """The stretches of a roll-up between what was rebuilt of it; generations begin and end where manifests do."""
    at = rollup.start
    over = [ref for ref in rebuilt if ref.start < rollup.end and rollup.start < ref.end]
    for ref in over:
        if at < ref.start:
            yield RollupSlice(rollup, at, ref.start)
        at = ref.end
    if not over:
        yield rollup
    elif at < rollup.end:
        yield RollupSlice(rollup, at, rollup.end)
