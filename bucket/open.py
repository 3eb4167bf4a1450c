"""From settings to the bucket they mean."""

from pathlib import Path

from bucket.bucket import Bucket
from bucket.filesystem import FilesystemBucket
from bucket.prefixed import PrefixedBucket
from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.settings import BucketSettings


def open_bucket(settings: BucketSettings) -> Bucket:
    """Asks no store yet: what is wrong with the place shows at the first call, best by `probe_conditional_writes`.

    Raises BucketMisconfigured where a client of the store cannot even be made.
    """
    bucket = _open(settings)
    return PrefixedBucket(bucket, settings.key_prefix) if settings.key_prefix else bucket


def _open(settings: BucketSettings) -> Bucket:
    if settings.kind == "S3":
        config = settings.s3()
        return S3Bucket(config, make_clients(config))
    return FilesystemBucket(Path(settings.filesystem().directory))
