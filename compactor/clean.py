"""Removes what nobody needs any more: superseded and replaced blocks, orphans, uploads that were given up."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from bucket import layout
from bucket.blocks import Block, BlockKind
from bucket.bucket import Bucket, ObjectInfo
from bucket.manifests import ManifestStore
from compactor.directory import Directory, is_whole
from compactor.marks import Marks
from compactor.settings import CompactorSettings
from forebay.clock import Clock

Reason = Literal["superseded", "replaced", "orphan", "partial"]
REASONS: tuple[Reason, ...] = ("superseded", "replaced", "orphan", "partial")


class Removed(NamedTuple):
    ulid: str
    reason: Reason


class Cleaner:
    """May be interrupted anywhere and run by many at once: what is half removed is a partial block, removed as such."""

    def __init__(
        self, bucket: Bucket, manifests: ManifestStore, marks: Marks, settings: CompactorSettings, clock: Clock
    ) -> None:
        self._bucket = bucket
        self._manifests = manifests
        self._marks = marks
        self._settings = settings
        self._clock = clock

    def run(self, blocks: Sequence[Block], covers: Mapping[str, str]) -> Iterator[Removed]:
        """Yields each block after it was removed. `covers` says in which block a superseded one's samples lie.

        What `covers` leads to is never removed in the same breath: the relation has no circle, and whatever covers a
        block is looked at again just before that one goes.
        """
        by_ulid = {block.ulid: block for block in blocks}
        for block in blocks:
            cover = covers.get(block.ulid)
            reason = self._reason(block, by_ulid[cover] if cover else None)
            if reason == "partial":
                if self._remove_partial(block.ulid):
                    yield Removed(block.ulid, reason)
            elif reason is not None:
                self._remove(block.ulid)
                yield Removed(block.ulid, reason)

    def _reason(self, block: Block, cover: Block | None) -> Reason | None:
        if cover is not None and self._mark_is_old(block.ulid) and self._still_covers(cover):
            return "superseded"
        if block.kind is BlockKind.REPLACED and self._mark_is_old(block.ulid) and self._is_still_replaced(block):
            return "replaced"
        if block.kind is BlockKind.ORPHAN and self._is_given_up_orphan(block):
            return "orphan"
        if block.kind is BlockKind.PARTIAL and self._is_given_up(Directory.look(self._bucket, block.ulid)):
            return "partial"
        return None

    def _still_covers(self, cover: Block) -> bool:
        """It is whole, and no rebuild has replaced it since the blocks were listed."""
        return is_whole(self._bucket, cover.ulid) and not self._is_retired(cover)

    def _is_still_replaced(self, block: Block) -> bool:
        """And no rebuild is bringing it back, by writing it again."""
        directory = Directory.look(self._bucket, block.ulid)
        return self._is_retired(block) and self._is_old(directory, self._settings.delete_delay)

    def _is_retired(self, block: Block) -> bool:
        return not self._manifests.generations.load().retired.isdisjoint(block.sources)

    def _mark_is_old(self, ulid: str) -> bool:
        mark = self._marks.get(ulid)
        return mark is not None and self._clock.now_ms() - mark.deletion_time * 1000 >= self._settings.delete_delay

    def _is_given_up_orphan(self, block: Block) -> bool:
        """Its segment lies before the chain's end: a builder of it finds another's manifest, and publishes nothing."""
        # Other compactors copy the extension of what they merge. Only a level-1 block is of a segment.
        if block.segment is None or block.level != 1 or block.sources != {block.ulid}:
            return False
        directory = Directory.look(self._bucket, block.ulid)
        if not self._is_old(directory, self._settings.orphan_delay):
            return False
        last = self._manifests.last(block.segment.log_id, block.segment.partition)
        return last is not None and block.segment.start < last.end

    def _is_given_up(self, directory: Directory) -> bool:
        """One with a mark was once whole and is half removed; there the mark's age is enough."""
        if directory.has(layout.META):
            return False  # it cannot be read, but that is no reason to remove it
        if self._is_old(directory, self._settings.orphan_delay):
            return True
        return directory.has(layout.DELETION_MARK) and self._mark_is_old(directory.ulid)

    def _is_old(self, directory: Directory, delay: int) -> bool:
        """Nothing of it was written for so long."""
        return bool(directory.objects) and self._clock.now_ms() - directory.modified_ms >= delay

    def _remove(self, ulid: str) -> None:
        for info in _in_order(Directory.look(self._bucket, ulid)):
            self._bucket.delete(info.key)

    def _remove_partial(self, ulid: str) -> bool:
        """Whether all of it went: who wakes up and goes on with the upload is left alone.

        Looked at before each removal. What goes between a look and a removal is found gone by the uploader, which looks
        at all of its files before it creates the manifest.
        """
        given_up = Directory.look(self._bucket, ulid)
        if not self._is_given_up(given_up):
            return False
        for info in _in_order(given_up):
            if not set(Directory.look(self._bucket, ulid).objects) <= set(given_up.objects):
                return False
            self._bucket.delete(info.key)
        return True


def _in_order(directory: Directory) -> list[ObjectInfo]:
    """meta.json first, so that no reader finds half a block; the mark last, which says what the rest is."""
    ranks = {
        layout.block_key(directory.ulid, layout.META): 0,
        layout.block_key(directory.ulid, layout.DELETION_MARK): 2,
    }
    return sorted(directory.objects, key=lambda info: (ranks.get(info.key, 1), info.key))
