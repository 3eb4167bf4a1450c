"""A filesystem small enough to fill, that can be made read-only: a tmpfs, which takes root to mount."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest


class SmallDisk:
    def __init__(self, path: Path, mebibytes: int) -> None:
        self.path = path
        self._ballast = path / "ballast"
        self._size = f"size={mebibytes}m"

    def mount(self) -> Self:
        self.path.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", self._size, "tmpfs", self.path)
        return self

    def unmount(self) -> None:
        _run("umount", "--lazy", self.path)

    def fill(self, leave: int = 0) -> None:
        """Takes all room but `leave` bytes."""
        with self._ballast.open("ab") as file:
            stat = os.statvfs(self.path)
            os.posix_fallocate(file.fileno(), 0, file.tell() + max(1, stat.f_bavail * stat.f_frsize - leave))

    def empty(self) -> None:
        self._ballast.unlink()

    def make_readonly(self) -> None:
        """What is open for writing keeps a filesystem from becoming so: waits for a bucket to be at rest."""
        for _ in range(50):
            with contextlib.suppress(subprocess.CalledProcessError):
                return _run("mount", "-o", "remount,ro", self.path)
            time.sleep(0.1)
        return _run("mount", "-o", "remount,ro", self.path)

    def make_writable(self) -> None:
        _run("mount", "-o", "remount,rw", self.path)


@contextmanager
def small_disk(path: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """Skips where nothing may be mounted; fails where CI=true and root cannot, since then nobody would notice."""
    try:
        disk = SmallDisk(path, mebibytes).mount()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        reason = f"a tmpfs cannot be mounted: {getattr(error, 'stderr', error)}"
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield disk
    finally:
        disk.unmount()


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
