"""Builds the blocks of an ended segment, and the manifest that will name them: a function of the log and the recipe."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from bucket import layout
from bucket.manifest import BlockEntry, FileEntry, FollowedReplicas, Manifest, Quarantined, Recipe
from consumers.block_meta import describe_block
from consumers.following import digest
from consumers.head import Head
from consumers.naming import BlockIdentity
from consumers.segment import Poison, Segment


class BuiltBlock(NamedTuple):
    """A block in a local directory."""

    entry: BlockEntry
    directory: Path


class BuiltSegment(NamedTuple):
    """All that the publisher needs."""

    manifest: Manifest
    blocks: list[BuiltBlock]
    poison: list[Poison]


class Builder:
    """Builds with `threads` threads, whose number changes nothing in the bytes. Thread-safe."""

    def __init__(self, recipe: Recipe, threads: int) -> None:
        self._recipe = recipe
        self._digest = recipe.digest()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="build")

    def build(self, segment: Segment, directory: Path) -> BuiltSegment:
        """Finishes the heads and writes one block per (tenant, window) that holds samples.

        `directory` is made, and may not hold anything. May be called again for the same segment, with another
        directory. Raises OSError of the local disk, UnbalancedLedger.
        """
        for _ in self._pool.map(Head.finish, segment.heads.values()):
            pass
        ledger = segment.ledger()
        build = partial(self._build_block, segment, directory)
        blocks = list(self._pool.map(build, segment.windows()))
        if segment.ended_by is None:
            raise ValueError(f"segment has not ended: partition={segment.partition} start={segment.start}")
        followed = FollowedReplicas(segment.followed_before, segment.followed_after)
        manifest = Manifest(
            log_id=segment.log_id,
            partition=segment.partition,
            start=segment.start,
            end=segment.end,
            first_append_time=segment.first_append_time,
            last_append_time=segment.last_append_time,
            ended_by=segment.ended_by,
            recipe=self._recipe,
            recipe_digest=self._digest,
            blocks=tuple(block.entry for block in blocks),
            ledger=ledger,
            quarantined=tuple(
                Quarantined(offset=poison.record.offset, tenant=poison.tenant, reason=poison.reason)
                for poison in segment.poison
            ),
            gap=segment.gap,
            followed=followed if followed.before or followed.after else UNSET,
        )
        return BuiltSegment(manifest, blocks, segment.poison)

    def close(self) -> None:
        """May be called twice."""
        self._pool.shutdown(cancel_futures=True)

    def _build_block(self, segment: Segment, directory: Path, part: tuple[str, Head, int]) -> BuiltBlock:
        tenant, head, window = part
        identity = BlockIdentity(
            segment.log_id,
            segment.partition,
            segment.start,
            segment.end,
            tenant,
            window,
            self._digest,
            digest(segment.followed_before),
        )
        ulid = identity.ulid(segment.last_append_time)
        block = directory / ulid
        block.mkdir(parents=True)
        stats = head.write_block(window, block)
        paths = [*(f"chunks/{name}" for name in stats.segment_files), layout.INDEX]
        files = [_file_entry(block, path) for path in paths]
        described = describe_block(identity, self._recipe, stats, files, segment.last_append_time)
        (block / layout.META).write_bytes(described.encode())
        entry = BlockEntry(
            ulid=ulid,
            tenant=tenant,
            window=window,
            min_time=stats.min_time,
            max_time=stats.max_time,
            series=stats.series,
            samples=stats.samples,
            files=(*files, _file_entry(block, layout.META)),
        )
        return BuiltBlock(entry, block)


def _file_entry(block: Path, path: str) -> FileEntry:
    with (block / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(path=path, size=file.tell(), sha256=digest)
