"""Asks the store itself whether it keeps its promises: many S3-compatible ones ignore conditions in silence."""

import contextlib
import secrets
from typing import NamedTuple

from bucket.bucket import Bucket, PreconditionFailed
from bucket.layout import PROBES


class ConditionalWrites(NamedTuple):
    create: bool
    """A second `create` of a key is refused. Without it exactly-once needs one consumer per partition."""
    replace: bool
    """A `replace` of another version is refused. Without it leases mean nothing."""


def probe_conditional_writes(bucket: Bucket) -> ConditionalWrites:
    """Writes a small object under `forebay/probes/` and takes it away; shows, too, that the bucket can be written.

    Raises BucketUnavailable and BucketMisconfigured, as any write does.
    """
    key = f"{PROBES}{secrets.token_hex(8)}"
    # A refusal can only be of a write of our own, whose first answer was lost: nobody else knows this key.
    with contextlib.suppress(PreconditionFailed):
        bucket.create(key, b"first")
    try:
        return ConditionalWrites(_create_is_refused(bucket, key), _replace_is_refused(bucket, key))
    finally:
        bucket.delete(key)


def _create_is_refused(bucket: Bucket, key: str) -> bool:
    try:
        bucket.create(key, b"second")
    except PreconditionFailed:
        return bucket.get(key) == b"first"
    return False


def _replace_is_refused(bucket: Bucket, key: str) -> bool:
    stale = bucket.stat(key).version
    with contextlib.suppress(PreconditionFailed):
        bucket.replace(key, b"third", stale)
    try:
        bucket.replace(key, b"fourth", stale)
    except PreconditionFailed:
        return bucket.get(key) == b"third"
    return False
