"""What lies where in the quarantine, by listing alone: records, and the tombstones of those that were settled.

A tombstone is written before its record is deleted. So where a manifest names a record, one of the two is there, or
the record was lost.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from bucket.bucket import Bucket, ObjectInfo
from bucket.layout import QUARANTINE, quarantine_prefix

REPLAYED = "replayed"
DROPPED = "dropped"

_DIGITS = 20
_NAME = re.compile(rf"\d{{{_DIGITS}}}(?:\.({REPLAYED}|{DROPPED}))?\.json")


class Place(NamedTuple):
    """One offset in the quarantine."""

    offset: int
    kept: bool
    """The record lies here."""
    outcome: str = ""
    """What was done with it: `replayed`, or else `dropped`; empty while nothing was."""
    settled_ms: int = 0
    """When, by the store's clock."""


def partitions(bucket: Bucket) -> Iterator[tuple[str, int]]:
    """(log id, partition) of everything that is or was in the quarantine, ascending."""
    for log_id in bucket.list_dirs(QUARANTINE):
        names = bucket.list_dirs(f"{QUARANTINE}{log_id}/")
        for partition in sorted(int(name) for name in names if name.isdecimal()):
            yield log_id, partition


def places(bucket: Bucket, log_id: str, partition: int) -> Iterator[Place]:
    """Of a partition, ascending."""
    return _places(quarantine_prefix(log_id, partition), bucket.list(quarantine_prefix(log_id, partition)))


def look(bucket: Bucket, log_id: str, partition: int, offset: int) -> Place:
    """One place, as it is now."""
    prefix = quarantine_prefix(log_id, partition)
    return next(_places(prefix, bucket.list(f"{prefix}{offset:0{_DIGITS}}.")), Place(offset, kept=False))


def _places(prefix: str, infos: Iterable[ObjectInfo]) -> Iterator[Place]:
    named = ((_NAME.fullmatch(info.key.removeprefix(prefix)), info) for info in infos)
    found = ((name[0][:_DIGITS], name[1], info) for name, info in named if name)
    for digits, group in groupby(found, lambda each: each[0]):
        objects = {outcome: info for _, outcome, info in group}
        outcome = next((each for each in (REPLAYED, DROPPED) if each in objects), "")
        settled_ms = objects[outcome].modified_ms if outcome else 0
        yield Place(int(digits), None in objects, outcome, settled_ms)
