"""One block's directory, as it lies in the bucket now."""

from typing import NamedTuple

from bucket import layout
from bucket.bucket import Bucket, ObjectInfo, ObjectNotFound
from tsdb import meta
from tsdb.errors import CorruptBlock

TOMBSTONES = "tombstones"


class Directory(NamedTuple):
    ulid: str
    objects: tuple[ObjectInfo, ...]
    """Ascending by key; none where the block is gone."""

    @classmethod
    def look(cls, bucket: Bucket, ulid: str) -> "Directory":
        """One listing."""
        return cls(ulid, tuple(bucket.list(f"{ulid}/")))

    def has(self, path: str) -> bool:
        return any(info.key == layout.block_key(self.ulid, path) for info in self.objects)

    @property
    def modified_ms(self) -> int:
        """When anything of it was last written, by the store's clock; there must be something."""
        return max(info.modified_ms for info in self.objects)

    def holds(self, files: tuple[meta.File, ...]) -> bool:
        """Whether each of `files` but meta.json lies there in its size."""
        sizes = {info.key: info.size for info in self.objects}
        return all(
            sizes.get(layout.block_key(self.ulid, file.rel_path)) == file.size_bytes
            for file in files
            if file.rel_path != layout.META
        )


def read_meta(bucket: Bucket, ulid: str) -> meta.Meta:
    """Raises ObjectNotFound, CorruptBlock."""
    return meta.decode(bucket.get(layout.block_key(ulid, layout.META)))


def is_whole(bucket: Bucket, ulid: str) -> bool:
    """Whether meta.json can be read and all files that it lists lie there."""
    try:
        found = read_meta(bucket, ulid)
    except (ObjectNotFound, CorruptBlock):
        return False
    return found.thanos is not None and Directory.look(bucket, ulid).holds(found.thanos.files)
