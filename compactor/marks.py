"""Deletion marks: `deletion-mark.json` beside meta.json, in Thanos' form.

A mark that stands is never overwritten, but for one that is no mark at all: it would keep its block for ever.
"""

from collections.abc import Collection

import msgspec

from bucket import layout
from bucket.bucket import Bucket, ObjectNotFound, PreconditionFailed
from forebay.clock import Clock

_COMPACTED = "source of compacted block"
"""How the details of a mark begin that says: the data is in another block. Thanos' words."""
_REPLACED = "replaced by a rebuild"


class DeletionMark(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    version: int
    deletion_time: int
    """Seconds since the epoch."""
    details: str = ""

    @property
    def is_ours(self) -> bool:
        """Made because other blocks count in its place, not because somebody wants it gone."""
        return self.details.startswith((_COMPACTED, _REPLACED))


_MARK = msgspec.json.Decoder(DeletionMark)


class Marks:
    """A mark is read once. One thread at a time."""

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._known: dict[str, DeletionMark] = {}

    def get(self, ulid: str) -> DeletionMark | None:
        """None where there is none, or none that can be read, as Thanos has it."""
        if ulid not in self._known:
            try:
                data = self._bucket.get(layout.block_key(ulid, layout.DELETION_MARK))
                mark = _MARK.decode(data)
            except (ObjectNotFound, msgspec.DecodeError):
                return None
            if mark.version != 1:
                return None
            self._known[ulid] = mark
        return self._known[ulid]

    def mark(self, ulid: str, cover: str) -> bool:
        """Says that all of `ulid` is in `cover`, which must be whole in the bucket. False where a mark stands."""
        return self._create(ulid, f"{_COMPACTED} {cover}")

    def mark_replaced(self, ulid: str) -> bool:
        """Says that a generation in force names other blocks in its place. False where a mark stands."""
        return self._create(ulid, _REPLACED)

    def unmark(self, ulid: str) -> None:
        """Takes back one of ours, whose reason is gone."""
        self._bucket.delete(layout.block_key(ulid, layout.DELETION_MARK))
        self._known.pop(ulid, None)

    def _create(self, ulid: str, details: str) -> bool:
        now = self._clock.now_ms() // 1000
        mark = DeletionMark(id=ulid, version=1, deletion_time=now, details=details)
        key, data = layout.block_key(ulid, layout.DELETION_MARK), msgspec.json.encode(mark) + b"\n"
        try:
            self._bucket.create(key, data)
        except PreconditionFailed:
            return self._replace_broken(key, data)
        return True

    def _replace_broken(self, key: str, data: bytes) -> bool:
        try:
            version = self._bucket.stat(key).version  # before it is read, so that what is judged is what is replaced
            if _is_json(self._bucket.get(key)):
                return False
            self._bucket.replace(key, data, version)
        except (ObjectNotFound, PreconditionFailed):
            return False  # somebody else is at it
        return True

    def keep(self, ulids: Collection[str]) -> None:
        """Forgets the marks of all others: they are gone, and should they come back, it is without a mark."""
        self._known = {ulid: mark for ulid, mark in self._known.items() if ulid in ulids}


def _is_json(data: bytes) -> bool:
    """Whether somebody meant something by it, though it may be no mark that is known here."""
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
