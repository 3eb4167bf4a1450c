"""A part of a bucket, seen as a bucket: the `prefix` of Thanos' object-storage settings."""

from collections.abc import Iterator
from pathlib import Path

from bucket.bucket import Bucket, ObjectInfo
from bucket.keys import check_key, check_prefix


class PrefixedBucket:
    """Implements Bucket over the keys of `inner` below `prefix`, which has no slash at either end."""

    def __init__(self, inner: Bucket, prefix: str) -> None:
        check_key(prefix)
        self._inner = inner
        self._prefix = prefix + "/"

    @property
    def description(self) -> str:
        return f"{self._inner.description} prefix={self._prefix}"

    def get(self, key: str) -> bytes:
        return self._inner.get(self._key(key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._inner.get_range(self._key(key), start, length)

    def stat(self, key: str) -> ObjectInfo:
        return self._inner.stat(self._key(key))._replace(key=key)

    def put(self, key: str, data: bytes) -> None:
        self._inner.put(self._key(key), data)

    def put_file(self, key: str, source: Path) -> None:
        self._inner.put_file(self._key(key), source)

    def create(self, key: str, data: bytes) -> None:
        self._inner.create(self._key(key), data)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._inner.replace(self._key(key), data, version)

    def delete(self, key: str) -> None:
        self._inner.delete(self._key(key))

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        for info in self._inner.list(self._prefix + prefix, self._prefix + start_after if start_after else ""):
            yield info._replace(key=info.key.removeprefix(self._prefix))

    def list_dirs(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        return self._inner.list_dirs(self._prefix + prefix)

    def download(self, key: str, target: Path) -> None:
        self._inner.download(self._key(key), target)

    def local_path(self, key: str) -> Path | None:
        return self._inner.local_path(self._key(key))

    def close(self) -> None:
        self._inner.close()

    def _key(self, key: str) -> str:
        check_key(key)  # before the prefix hides what is wrong with it
        return self._prefix + key
