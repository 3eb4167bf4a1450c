"""A lock on a file that dies with its holder: what keeps two processes on one machine apart."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """Held from `acquire` until `release`, or until the process ends, however it ends.

    The file stays: removing it would let two processes hold "the same" lock on two inodes.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path) -> "FileLock | None":
        """Takes the lock and writes the process id into its file; None where another holds it. Never waits."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    @staticmethod
    def holder(path: Path) -> str:
        """The process id in the lock's file, for messages; "unknown" while it is being written."""
        return path.read_text(errors="replace").strip() or "unknown"

    @classmethod
    def held_by(cls, path: Path) -> str | None:
        """Who holds the lock, as `holder` says; None where nobody does. Whoever asks for it just then is told no."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return cls.holder(path)
        finally:
            os.close(descriptor)
        return None

    def release(self) -> None:
        """May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
