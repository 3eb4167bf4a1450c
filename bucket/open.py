"""From settings to the bucket they mean."""

from pathlib import Path

from bucket.bucket import Bucket
from bucket.filesystem import FilesystemBucket
from bucket.prefixed import PrefixedBucket
from bucket.settings import BucketSettings


def open_bucket(settings: BucketSettings) -> Bucket:
    """Touches nothing yet: what is wrong with the place shows at the first call, best by `probe_conditional_writes`."""
    bucket = FilesystemBucket(Path(settings.filesystem().directory))
    return PrefixedBucket(bucket, settings.key_prefix) if settings.key_prefix else bucket
