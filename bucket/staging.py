"""Where a filesystem bucket's writes become whole before anybody sees them.

A write goes to a file of its own in `<directory>/.staging`, is fsynced there, and is then linked or renamed into place
while the bucket's lock is held. The writer holds an flock on its file until then: a file nobody holds is the leftover
of a process that died, and the next writer takes it away.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STAGING = ".staging"
_LOCK = "lock"


class Staging:
    """All methods raise OSError as it is. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directory = root / STAGING
        self._swept = False

    @contextmanager
    def file(self) -> Iterator[tuple[IO[bytes], Path]]:
        """A new file to fill. It is taken away at the end, unless it was renamed."""
        self._prepare()
        file, path = self._open()
        with file:
            try:
                yield file, path
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One holder among all threads and processes that write to this bucket; held for renames, not for data."""
        self._prepare()
        with (self._directory / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the descriptor, however the process ends
            yield

    def _prepare(self) -> None:
        make_directories(self._directory)
        if not self._swept:
            self._sweep()
            self._swept = True

    def _open(self) -> tuple[IO[bytes], Path]:
        while True:
            path = self._directory / f"{secrets.token_hex(8)}.tmp"
            file = path.open("xb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else a sweeper came between open and flock
                return file, path
            file.close()

    def _sweep(self) -> None:
        for path in self._directory.glob("*.tmp"):
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):
                continue  # somebody is writing it, or was


def make_directories(path: Path) -> None:
    """Makes `path` and its missing parents; each is durable when it returns."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(path: Path) -> None:
    """Makes the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
