"""A bucket in a directory of one machine, or of a network filesystem that has rename, hard links and flock.

Files are never changed in place, so a reader that has one open, or mapped, keeps reading the object it opened.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bucket.bucket import BucketMisconfigured, BucketUnavailable, ObjectInfo, ObjectNotFound, PreconditionFailed
from bucket.keys import InvalidKey, check_key, check_prefix
from bucket.staging import STAGING, Staging, make_directories, sync_directory

_COPY_BYTES = 1 << 20
_NOT_OURS = frozenset({STAGING, "lost+found"})  # at the top only; a mount point has the latter, closed to us
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = {
    errno.EACCES: "let the user that runs forebay read and write it",
    errno.EPERM: "let the user that runs forebay read and write it",
    errno.EROFS: "mount it writable",
    errno.EEXIST: "a file lies where a directory should: move it",
    errno.ENOTDIR: "a file lies where a directory should: move it",
    errno.EISDIR: "a directory lies where an object should: move it",
    errno.ENAMETOOLONG: "the filesystem takes no names of this length: use another",
    errno.EXDEV: "it must be one filesystem: mount nothing below it",
    errno.EMLINK: "the filesystem has no hard links: use another",
    errno.EOPNOTSUPP: "the filesystem has no hard links or locks: use another",
}


class FilesystemBucket:
    """Implements Bucket. The directory is made at the first write; reading alone needs no right to write.

    An object `a` and an object `a/b` cannot both be.
    """

    def __init__(self, directory: Path) -> None:
        self._root = directory.absolute()
        self._staging = Staging(self._root)

    @property
    def description(self) -> str:
        return f"filesystem directory={self._root}"

    def get(self, key: str) -> bytes:
        with self._open(key) as file, self._translated():
            return file.read()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        with self._open(key) as file, self._translated():
            file.seek(start)
            return file.read(length)

    def stat(self, key: str) -> ObjectInfo:
        with self._open(key) as file, self._translated():
            return _info(key, os.fstat(file.fileno()))

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda file: file.write(data), os.replace)

    def put_file(self, key: str, source: Path) -> None:
        with source.open("rb") as data:
            self._write(key, lambda file: shutil.copyfileobj(data, file, _COPY_BYTES), os.replace)

    def create(self, key: str, data: bytes) -> None:
        def link(staged: Path, path: Path) -> None:
            try:
                os.link(staged, path)
            except FileExistsError:
                raise PreconditionFailed(f"object exists already key={key}") from None

        self._write(key, lambda file: file.write(data), link)

    def replace(self, key: str, data: bytes, version: str) -> None:
        def rename(staged: Path, path: Path) -> None:
            if self.stat(key).version != version:
                raise PreconditionFailed(f"object is another version key={key}")
            staged.replace(path)

        self.stat(key)  # before any directory is made for it
        self._write(key, lambda file: file.write(data), rename)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._translated():
            if path.is_file():
                self._remove(path)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        return self._walk("", prefix, start_after)

    def list_dirs(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        for name, is_directory in self._entries(prefix):
            if is_directory and next(self._walk(prefix + name, prefix, ""), None):
                yield name.rstrip("/")

    def download(self, key: str, target: Path) -> None:
        with self._open(key) as file, target.open("xb") as copy:
            while data := self._read_some(file):
                copy.write(data)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    def close(self) -> None:
        pass

    def _path(self, key: str) -> Path:
        check_key(key)
        if key.split("/", 1)[0] in _NOT_OURS:
            raise InvalidKey(f"object key is reserved by the filesystem bucket key={key!r}")
        return self._root / key

    def _open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        with self._translated():
            try:
                return path.open("rb")
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise ObjectNotFound(f"no such object key={key}") from None

    def _remove(self, path: Path) -> None:
        with self._staging.lock():
            path.unlink(missing_ok=True)
            # Empty directories go too, for they are no objects; under the lock, so nobody is about to use one.
            for parent in path.parents:
                if parent == self._root or any(parent.iterdir()):
                    sync_directory(parent)
                    return
                parent.rmdir()

    def _read_some(self, file: IO[bytes]) -> bytes:
        with self._translated():
            return file.read(_COPY_BYTES)

    def _write(self, key: str, fill: Callable[[IO[bytes]], object], commit: Callable[[Path, Path], None]) -> None:
        """The data is durable before it has its name, and the name is before this returns."""
        path = self._path(key)
        with self._translated(), self._staging.file() as (file, staged):
            fill(file)
            file.flush()
            os.fsync(file.fileno())
            with self._staging.lock():
                make_directories(path.parent)
                _date(staged, path)
                commit(staged, path)
                sync_directory(path.parent)

    def _walk(self, directory: str, prefix: str, start_after: str) -> Iterator[ObjectInfo]:
        """`directory` is "" or ends in "/"."""
        for name, is_directory in self._entries(directory):
            key = directory + name
            if is_directory:
                wanted = key.startswith(prefix) or prefix.startswith(key)
                passed = key < start_after and not start_after.startswith(key)
                if wanted and not passed:
                    yield from self._walk(key, prefix, start_after)
            elif key.startswith(prefix) and key > start_after:
                try:
                    yield _info(key, (self._root / key).stat())
                except FileNotFoundError:
                    continue  # deleted since

    def _entries(self, directory: str) -> Sequence[tuple[str, bool]]:
        """Names in key order: a directory sorts as its name with a slash. Links and unreadable names are no objects."""
        with self._translated():
            try:
                with os.scandir(self._root / directory) as entries:
                    found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                             if not entry.is_symlink() and entry.name.isprintable()]  # fmt: skip
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(
            (name + "/" if is_directory else name, is_directory)
            for name, is_directory in found
            if directory or name not in _NOT_OURS
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            path = error.filename or self._root
            problem = f"bucket on disk failed path={path} error={error.strerror}"
            if error.errno in _REFUSED:
                raise BucketMisconfigured(problem, hint=f"{self._root}: {_REFUSED[error.errno]}") from error
            hint = f"make room: df -h {self._root}" if error.errno in _NO_ROOM else f"look at the disk: dmesg, {path}"
            raise BucketUnavailable(problem, hint=hint) from error


def _info(key: str, stat: os.stat_result) -> ObjectInfo:
    version = f"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"
    return ObjectInfo(key, stat.st_size, stat.st_mtime_ns // 1_000_000, version)


def _date(staged: Path, path: Path) -> None:
    """Dates the file itself: the kernel's own tick is coarse, and two versions of one key must never look the same."""
    try:
        newest = path.stat().st_mtime_ns
    except FileNotFoundError:
        newest = 0
    now = max(time.time_ns(), newest + 1)
    os.utime(staged, ns=(now, now))
