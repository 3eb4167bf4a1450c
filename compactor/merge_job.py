"""Does a job: fetches the sources, merges them, puts the output into the bucket."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bucket import layout
from bucket.bucket import Bucket
from bucket.workspace import Workspace
from compactor.directory import TOMBSTONES, Directory, read_meta
from compactor.naming import CompactionIdentity
from compactor.output_meta import describe_output
from compactor.plan import Job
from forebay.errors import InvalidData, Retryable
from tsdb.block_files import LocalBlock
from tsdb.merge import merge_blocks
from tsdb.meta import File, Hash, Meta
from tsdb.series_merge import SeriesCounts


class StagingFailed(Retryable):
    """The local disk did not take the work."""


class SourceUnusable(InvalidData):
    """A source is not what a merge can take."""


class UploadInterfered(Retryable):
    """What was uploaded is not there any more, before the block was whole."""


class Merged(NamedTuple):
    meta: Meta
    counts: SeriesCounts


class Merger:
    """Runs jobs in `workspace`, which is this compactor's own and holds nothing between jobs. One thread at a time."""

    def __init__(self, bucket: Bucket, workspace: Workspace, segment_bytes: int) -> None:
        self._bucket = bucket
        self._workspace = workspace
        self._segment_bytes = segment_bytes

    def run(self, job: Job) -> Merged:
        """Returns once the output's meta.json is in the bucket. May be repeated, and done by many at once.

        1. Fetch the sources, where they do not lie on this machine.
        2. Merge.
        3. Put chunks and index, and look that they lie there: somebody may have taken them for a given-up upload.
        4. Put meta.json: now the block is whole for any reader.

        Raises:
            ObjectNotFound: a source is gone: another compactor was here.
            SourceUnusable: files of a source are missing, or it has tombstones, which only Thanos' tools make.
            CorruptBlock, CorruptChunk: a source is damaged.
            StagingFailed, UploadInterfered, BucketUnavailable, BucketMisconfigured: as they are.
        """
        with self._staging() as staging:
            # 1.
            metas = [read_meta(self._bucket, block.ulid) for block in job.sources]
            sources = [LocalBlock(self._fetch(meta, staging)) for meta in metas]
            # 2.
            identity = CompactionIdentity(
                job.tenant, job.window, job.labels, tuple(block.ulid for block in job.sources), self._segment_bytes
            )
            ulid = identity.ulid()
            output = staging / "output"
            stats = merge_blocks(sources, output, segment_bytes=self._segment_bytes)
            if stats.block is None:
                raise ValueError(f"sources without tombstones merged into nothing ulid={ulid}")
            paths = [*(f"chunks/{name}" for name in stats.block.segment_files), layout.INDEX]
            files = [_describe(output, path) for path in paths]
            output_meta = describe_output(ulid, job, metas, block=stats.block, counts=stats.counts, files=files)
            # 3.
            for path in paths:
                self._bucket.put_file(layout.block_key(ulid, path), output / path)
            self._check(ulid, files)
            # 4.
            self._bucket.put(layout.block_key(ulid, layout.META), output_meta.encode())
            return Merged(output_meta, stats.counts)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        try:
            with tempfile.TemporaryDirectory(dir=self._workspace.directory(), prefix="job-") as path:
                yield Path(path)
        except OSError as error:
            raise StagingFailed(
                f"cannot merge blocks directory={self._workspace.parent} error={error.strerror or error}",
                hint=f"look at the disk: df -h {self._workspace.parent}",
            ) from error

    def _fetch(self, meta: Meta, staging: Path) -> Path:
        """Where the block's files lie as files."""
        directory = Directory.look(self._bucket, meta.ulid)
        files = meta.thanos.files if meta.thanos else ()
        if not directory.holds(files):
            raise SourceUnusable(f"files of a block are missing ulid={meta.ulid}", hint="run forebay audit")
        if directory.has(TOMBSTONES):
            raise SourceUnusable(
                f"block has tombstones ulid={meta.ulid}", hint="rewrite it with the tool that made them, or remove them"
            )
        local = self._bucket.local_path(layout.block_key(meta.ulid, layout.INDEX))
        if local is not None:
            return local.parent
        target = staging / meta.ulid
        (target / "chunks").mkdir(parents=True)
        for file in files:
            if file.rel_path != layout.META:
                self._bucket.download(layout.block_key(meta.ulid, file.rel_path), target / file.rel_path)
        return target

    def _check(self, ulid: str, files: list[File]) -> None:
        if not Directory.look(self._bucket, ulid).holds(tuple(files)):
            raise UploadInterfered(f"uploaded files are gone or cut short ulid={ulid}")


def _describe(directory: Path, path: str) -> File:
    with (directory / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return File(rel_path=path, size_bytes=file.tell(), hash=Hash(func="SHA256", value=digest))
