"""What was compacted together with blocks that a rebuild retires: it must still count once they do not.

A compaction output stops counting with the first of its sources. The others are merged into an output of their own,
before: it is hidden behind the old one until that stops counting, and holds their samples from then on, whatever
becomes of the sources themselves.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from bucket.blocks import Block, BlockCatalog, BlockKind, superseded
from bucket.bucket import Bucket, ObjectNotFound
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from consumers.replay_blocks import BlockCheck
from consumers.replay_log import CannotRebuild, ReplayLog
from consumers.replay_workshop import Workshop
from forebay.errors import InvalidData, Retryable

Remerge = Callable[[Block, Sequence[Block]], None]
"""Merges some sources of an output into one block, whole in the bucket when it returns. Raises as a compaction does."""

_ROUNDS = 8


class NeighboursChanging(Retryable):
    """Blocks are compacted and cleaned faster than they can be saved."""


class Neighbours:
    """One replay's. One thread."""

    def __init__(
        self, bucket: Bucket, manifests: ManifestStore, log: ReplayLog, workshop: Workshop, remerge: Remerge
    ) -> None:
        self._bucket = bucket
        self._catalog = BlockCatalog(bucket)
        self._manifests = manifests
        self._log = log
        self._workshop = workshop
        self._remerge = remerge

    def save(self, retired: AbstractSet[str]) -> list[str]:
        """Returns once all that lies in one block with `retired` lies in another block, too; which blocks those were.

        Blocks that compactors make meanwhile are met by the next look. After the last look only such can come whose
        sources were marked just now, and are there for the delay to come.

        Raises CannotRebuild, NeighboursChanging, and what log, bucket and disk raise.
        """
        found: set[str] = set()
        for _ in range(_ROUNDS):
            check = BlockCheck(self._bucket, self._catalog)
            affected = _affected(check, retired)
            found.update(output.ulid for output in affected)
            left = [output for output in affected if not _is_saved(check, output, retired)]
            if not left:
                return sorted(found)
            rest = {output.ulid: output.sources - retired for output in left}
            self._bring_back(check, set[str]().union(*rest.values()))
            for output in left:
                self._merge(output, rest[output.ulid])
        raise NeighboursChanging("compacted blocks change all the time", hint="try again when the compactor is done")

    def plan(self, retired: AbstractSet[str]) -> list[str]:
        """The blocks that `save` would deal with; nothing is written. Raises CannotRebuild where it could not."""
        check = BlockCheck(self._bucket, self._catalog)
        affected = _affected(check, retired)
        left = [output.sources - retired for output in affected if not _is_saved(check, output, retired)]
        for manifest, ulids in self._gone(check, set[str]().union(*left)):
            self._attempt(self._log.check, manifest, ulids)
        return sorted(output.ulid for output in affected)

    def _bring_back(self, check: BlockCheck, ulids: AbstractSet[str]) -> None:
        for manifest, gone in self._gone(check, ulids):
            self._attempt(partial(self._restore, gone), manifest, gone)

    def _merge(self, output: Block, rest: AbstractSet[str]) -> None:
        blocks = {block.ulid: block for block in self._catalog.every() if block.ulid in rest}
        if len(blocks) < len(rest):
            return  # cleaned away meanwhile: the next look restores it
        try:
            self._workshop.retry.until_done(lambda: self._remerge(output, [blocks[ulid] for ulid in sorted(rest)]))
        except ObjectNotFound:
            return  # as above
        except InvalidData as error:
            raise CannotRebuild(
                f"what was compacted into ulid={output.ulid} cannot be merged again: {error.args[0]}",
                hint="run forebay audit --deep, and mend it first",
            ) from error

    def _restore(self, ulids: AbstractSet[str], manifest: Manifest) -> None:
        self._workshop.restore(manifest, ulids, self._log.standing(manifest))

    def _attempt(self, do: Callable[[Manifest], None], manifest: Manifest, ulids: AbstractSet[str]) -> None:
        try:
            do(manifest)
        except CannotRebuild as error:
            raise CannotRebuild(
                "a block that was compacted with these is gone and cannot be built again: "
                f"ulid={','.join(sorted(ulids))} {error.args[0]}",
                hint="restore that block from a copy of the bucket, and replay again",
            ) from error

    def _gone(self, check: BlockCheck, ulids: AbstractSet[str]) -> list[tuple[Manifest, set[str]]]:
        """Those of these blocks that are not whole in the bucket, by the manifest that names them.

        Raises CannotRebuild where no manifest names one.
        """
        gone = {ulid for ulid in ulids if not check.is_whole(ulid)}
        found = list(self._manifests.naming(gone))
        left = gone.difference(*(named for _, named in found))
        if left:
            raise CannotRebuild(
                f"no manifest names blocks that were compacted with these: ulid={','.join(sorted(left))}",
                hint="run forebay audit, and mend it first",
            )
        return found


def _affected(check: BlockCheck, retired: AbstractSet[str]) -> list[Block]:
    """Outputs that count now and hold some of `retired`."""
    live = [block for block in check.blocks.values() if block.is_live]
    hidden = superseded(live)
    return [
        block
        for block in live
        if block.kind is BlockKind.COMPACTED
        and block.resolution == 0
        and block.ulid not in hidden
        and not retired.isdisjoint(block.sources)
    ]


def _is_saved(check: BlockCheck, output: Block, retired: AbstractSet[str]) -> bool:
    rest = output.sources - retired
    return not rest or any(
        rest <= block.sources and retired.isdisjoint(block.sources) and check.is_whole(block.ulid)
        for block in check.blocks.values()
        if block.kind is BlockKind.COMPACTED and block.resolution == 0
    )
