"""The digest of an object, read in pieces."""

import hashlib

from bucket.bucket import Bucket

_READ_BYTES = 8 << 20


def sha256_of(bucket: Bucket, key: str, size: int) -> str:
    """Lower-case hex, over the first `size` bytes. Raises ObjectNotFound, and what the bucket raises."""
    digest = hashlib.sha256()
    for start in range(0, size, _READ_BYTES):
        digest.update(bucket.get_range(key, start, _READ_BYTES))
    return digest.hexdigest()
