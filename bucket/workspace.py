"""A local directory of one's own for blocks on their way to or from a bucket: processes may share one --data.dir."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class _Claim(NamedTuple):
    path: Path
    descriptor: int
    unlock: Callable[[], object]


class Workspace:
    """`<name>-<pid>-<random>` below `parent`: locked while its process lives, and removed by the next one after it.

    It is a cache, made again where it vanished. Thread-safe. One that nobody has any more is unlocked, as a file
    would be, and removed by the next one.
    """

    def __init__(self, parent: Path, name: str) -> None:
        """Touches nothing yet."""
        self.parent = parent
        self._name = name
        self._claiming = threading.Lock()
        self._own: _Claim | None = None

    def directory(self) -> Path:
        """It is there, and locked. The first call also removes what dead processes left. Raises OSError."""
        with self._claiming:
            if self._own is None or not _is_open_as(self._own.path, self._own.descriptor):
                self._release()
                self._own = self._claim()
            return self._own.path

    def close(self) -> None:
        """Removes it with all that is in it. May be called twice."""
        with self._claiming:
            if self._own is not None:
                shutil.rmtree(self._own.path, ignore_errors=True)
            self._release()

    def _claim(self) -> _Claim:
        self.parent.mkdir(parents=True, exist_ok=True)
        with _opened(self.parent) as parent:
            fcntl.flock(parent, fcntl.LOCK_EX)  # nobody sweeps what is made, but not locked yet
            self._sweep()
            own = Path(tempfile.mkdtemp(dir=self.parent, prefix=f"{self._name}-{os.getpid()}-"))
            descriptor = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return _Claim(own, descriptor, weakref.finalize(self, os.close, descriptor))

    def _sweep(self) -> None:
        for left in self.parent.glob(f"{self._name}-*"):
            try:
                with _opened(left) as descriptor:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            except OSError:  # its process lives, or it is not ours to open
                continue

    def _release(self) -> None:
        if self._own is not None:
            self._own.unlock()
            self._own = None


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """Its descriptor, which a child process does not get; closing it ends the lock."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_open_as(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
