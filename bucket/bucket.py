"""Object storage: one small protocol. `tests/bucket/contract.py` is the suite that every implementation passes.

Keys are relative, `/`-separated, without empty, `.` or `..` parts. All calls block, are
thread-safe, and may be repeated. A reader never sees half an object.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from forebay.errors import ForebayError, Retryable


class BucketUnavailable(Retryable):
    """The store did not answer, or answered that it cannot now. Of a write: unknown whether it was done."""


class BucketMisconfigured(BucketUnavailable):
    """The store refuses this until somebody puts it right: no such bucket, no permission, mounted read-only.

    Reason enough not to start. At run time it is waited for, like an outage: the log keeps what comes in meanwhile.
    """


class ObjectNotFound(ForebayError):
    """There is no object at this key."""


class PreconditionFailed(ForebayError):
    """`create` found an object there already, or `replace` found another version."""


class ObjectInfo(NamedTuple):
    key: str
    size: int  # bytes
    modified_ms: int  # milliseconds since the epoch, by the store's clock
    version: str  # changes with the content; for `replace`. Equal bytes may be equal versions


class Bucket(Protocol):
    """Every method may raise BucketUnavailable and BucketMisconfigured, besides what it names."""

    @property
    def description(self) -> str:
        """For logs and pages: kind and place, no secret."""
        ...

    def get(self, key: str) -> bytes:
        """The whole object. Raises ObjectNotFound."""
        ...

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`; fewer where the object ends, none behind its end. Raises ObjectNotFound."""
        ...

    def stat(self, key: str) -> ObjectInfo:
        """Raises ObjectNotFound."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Creates or replaces; durable when it returns."""
        ...

    def put_file(self, key: str, source: Path) -> None:
        """As `put`, from a local file that is left alone."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Creates, durable when it returns; of racing callers exactly one succeeds.

        Raises:
            PreconditionFailed: there is an object already, which may be one's own of an attempt that seemed to fail.
        """
        ...

    def replace(self, key: str, data: bytes, version: str) -> None:
        """Replaces the object only while it still is `version`. Raises PreconditionFailed, ObjectNotFound."""
        ...

    def delete(self, key: str) -> None:
        """Gone when it returns; no error where there was none."""
        ...

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix` and sorts after `start_after`, ascending by key bytes."""
        ...

    def list_dirs(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts under `prefix` ("" or ending in "/") that have objects below them.

        Ascending by key bytes, the slash behind the part included.
        """
        ...

    def download(self, key: str, target: Path) -> None:
        """Writes the object to a new local file. Raises ObjectNotFound."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object's bytes lie on this machine, for reading only; None where they do not."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...
