"""A directory for work in progress that is one process' own, though several share a --data.dir."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from broker.flock import FileLock

_LOCK = "lock"


@contextlib.contextmanager
def own_directory(parent: Path, name: str) -> Iterator[Path]:
    """`<parent>/<name>-<random>`, taken away at the end; first takes away those whose process has died.

    It is a cache: where it cannot be made or is swept away, whoever works in it meets the error, says so, and makes it
    anew once it can. So nothing of the disk is raised here.
    """
    directory = parent / f"{name}-{secrets.token_hex(8)}"
    lock = None
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True)
        lock = FileLock.acquire(directory / _LOCK)
        _sweep(parent, name)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if lock is not None:
            lock.release()


def _sweep(parent: Path, name: str) -> None:
    for left in parent.glob(f"{name}-*"):
        with contextlib.suppress(FileNotFoundError):  # swept by another, or just being made
            lock = FileLock.acquire(left / _LOCK)
            if lock is not None:
                shutil.rmtree(left)
                lock.release()
