"""Puts a built segment into the bucket; the manifest is the commit point."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from broker.quarantine import Quarantine, QuarantinedRecord
from bucket import layout
from bucket.bucket import Bucket
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from consumers.builder import BuiltBlock, BuiltSegment
from consumers.retry import Retry
from forebay.errors import Retryable


class UploadUndone(Retryable):
    """Files of a block were gone before its manifest was created."""


class Published(NamedTuple):
    """The manifest that stands; `ours` unless another ended the segment elsewhere, or built it by another recipe."""

    standing: Manifest
    ours: bool


class Publisher:
    """Idempotent: whatever was there already is written again with the same bytes. Thread-safe."""

    def __init__(self, bucket: Bucket, manifests: ManifestStore, quarantine: Quarantine) -> None:
        self._bucket = bucket
        self._manifests = manifests
        self._quarantine = quarantine

    def publish(self, built: BuiltSegment, retry: Retry) -> Published:
        """Returns once a manifest stands at the segment's start: ours, or one created before.

        1. Look whether a manifest stands. If so nothing is written: its blocks are in the bucket, or were compacted
           and must not come back.
        2. Keep the poison records.
        3. Put chunks and index of every block.
        4. Put meta.json of every block: now they are whole for any reader.
        5. Look whether all of it is there, and put again what is not: where this took longer than the compactor's
           orphan delay, it may have removed the first files as an upload given up. With meta.json it is none.
        6. Create the manifest: now the segment is done. Committing the offset is left to the caller; it is advisory.

        After a crash anywhere, do it again. Blocks that lose in step 6 are orphans, which the compactor removes.
        Blocks while the bucket does not answer. Raises Abandoned, BucketMisconfigured, OSError of the local files.
        """
        manifest = built.manifest
        # 1.
        standing = retry.until_done(lambda: self._manifests.get(manifest.log_id, manifest.partition, manifest.start))
        if standing is not None:
            return _compare(standing, manifest)
        # 2. to 5.
        self.upload(built, retry)
        # 6.
        return _compare(retry.until_done(lambda: self._manifests.create(manifest)), manifest)

    def upload(self, built: BuiltSegment, retry: Retry) -> None:
        """Steps 2 to 5 of `publish`, which it says all of: the blocks are whole in the bucket when it returns."""
        # 2.
        for poison in built.poison:
            record = QuarantinedRecord.of(built.manifest.log_id, poison.record, poison.reason)
            retry.until_done(partial(self._quarantine.put, record))
        # 3.
        files = [(block, entry.path) for block in built.blocks for entry in block.entry.files]
        for block, path in files:
            if path != layout.META:
                self._put(layout.block_key(block.entry.ulid, path), block.directory / path, retry)
        # 4.
        for block, path in files:
            if path == layout.META:
                self._put(layout.block_key(block.entry.ulid, path), block.directory / path, retry)
        # 5.
        for block in built.blocks:
            retry.until_done(partial(self._make_whole, block))

    def _put(self, key: str, source: Path, retry: Retry) -> None:
        def attempt() -> None:
            source.stat()  # a staging directory that was swept away is no failure of the bucket
            self._bucket.put_file(key, source)

        retry.until_done(attempt)

    def _make_whole(self, block: BuiltBlock) -> None:
        """Raises UploadUndone after it has put something, since that wants another look."""
        ulid = block.entry.ulid
        sizes = {info.key: info.size for info in self._bucket.list(layout.block_key(ulid, ""))}
        gone = [file.path for file in block.entry.files if sizes.get(layout.block_key(ulid, file.path)) != file.size]
        for path in gone:
            self._bucket.put_file(layout.block_key(ulid, path), block.directory / path)
        if gone:
            raise UploadUndone(
                f"uploaded files were gone, and are uploaded again: block={ulid} files={len(gone)}",
                hint="see that compactor.orphan_delay is above the longest upload of a block",
            )


def _compare(standing: Manifest, ours: Manifest) -> Published:
    return Published(standing, standing.end == ours.end and standing.recipe_digest == ours.recipe_digest)
