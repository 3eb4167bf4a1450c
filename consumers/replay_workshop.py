"""Where a replay builds segments: on local disk, one at a time, for as long as they are needed."""

import itertools
import shutil
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from bucket import layout
from bucket.bucket import Bucket
from bucket.manifest import Manifest, Recipe
from bucket.manifests import ManifestStore
from bucket.workspace import Workspace
from consumers.builder import Builder, BuiltSegment
from consumers.publisher import Published, Publisher
from consumers.quarantine import BucketQuarantine
from consumers.replay_log import CannotRebuild
from consumers.retry import Retry
from consumers.segment import Segment


class Workshop:
    """One thread. Raises OSError of the local disk, and what a publisher raises."""

    def __init__(
        self, bucket: Bucket, manifests: ManifestStore, *, threads: int, workspace: Workspace, retry: Retry
    ) -> None:
        self._bucket = bucket
        self._publisher = Publisher(bucket, manifests, BucketQuarantine(bucket))
        self._threads = threads
        self._workspace = workspace
        self.retry = retry
        self._numbers = itertools.count(1)

    def build(self, segment: Segment, recipe: Recipe, use: Callable[[BuiltSegment], None]) -> None:
        """Builds the segment's blocks, hands them to `use`, and removes them."""
        directory = self._workspace.directory() / f"{next(self._numbers)}"
        builder = Builder(recipe, self._threads)
        try:
            use(builder.build(segment, directory))
        finally:
            builder.close()
            shutil.rmtree(directory, ignore_errors=True)

    def restore(self, manifest: Manifest, wanted: AbstractSet[str], segment: Segment) -> None:
        """Uploads those blocks of a standing manifest, once all is known to be what it names.

        Raises CannotRebuild where the log gives other blocks.
        """

        def upload(built: BuiltSegment) -> None:
            if built.manifest.blocks != manifest.blocks:
                named = {entry.ulid: entry for entry in manifest.blocks}
                other = [entry.ulid for entry in built.manifest.blocks if named.get(entry.ulid) != entry]
                raise CannotRebuild(
                    f"the log gives other blocks than its manifest names: built={','.join(other)}",
                    hint="the log was damaged since, or this is a bug: restore the blocks from a copy of the bucket",
                )
            blocks = [block for block in built.blocks if block.entry.ulid in wanted]
            self.upload(BuiltSegment(manifest, blocks, []))

        self.build(segment, manifest.recipe, upload)

    def upload(self, built: BuiltSegment) -> None:
        """Blocks and poison records are in the bucket when it returns, without a word about the manifest."""
        self._publisher.upload(built, self.retry)

    def publish(self, built: BuiltSegment) -> Published:
        """As a consumer does."""
        return self._publisher.publish(built, self.retry)

    def unmark(self, ulids: Sequence[str]) -> None:
        """Takes deletion marks away from blocks that count again, or are about to."""
        for ulid in ulids:
            self.retry.until_done(partial(self._bucket.delete, layout.block_key(ulid, layout.DELETION_MARK)))
