"""What the store is asked to encrypt objects with: Thanos' `sse_config`."""

import base64
import json
from pathlib import Path
from typing import NamedTuple

from bucket.bucket import BucketMisconfigured
from bucket.s3_settings import SSEConfig

_KEY_BYTES = 32  # AES-256


class Encryption(NamedTuple):
    """Arguments of requests."""

    write: dict[str, str | bytes]
    read: dict[str, str | bytes]

    def __repr__(self) -> str:
        return "Encryption()"  # it may hold a key


def make_encryption(sse: SSEConfig) -> Encryption:
    """Raises BucketMisconfigured where the customer's key cannot be read."""
    if sse.type == "SSE-S3":
        return Encryption({"ServerSideEncryption": "AES256"}, {})
    if sse.type == "SSE-KMS":
        args: dict[str, str | bytes] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": sse.kms_key_id}
        if sse.kms_encryption_context:
            context = json.dumps(sse.kms_encryption_context, sort_keys=True)
            args["SSEKMSEncryptionContext"] = base64.b64encode(context.encode()).decode()
        return Encryption(args, {})
    if sse.type == "SSE-C":
        args = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": _read_key(Path(sse.encryption_key))}
        return Encryption(args, args)
    return Encryption({}, {})


def _read_key(path: Path) -> bytes:
    hint = "name a file of exactly 32 random bytes in bucket.config.sse_config.encryption_key, and keep a copy of it"
    try:
        key = path.read_bytes()
    except OSError as error:
        raise BucketMisconfigured(f"s3 cannot read the encryption key error={str(error)!r}", hint=hint) from error
    if len(key) != _KEY_BYTES:
        raise BucketMisconfigured(f"s3 cannot use the encryption key file={path} bytes={len(key)}", hint=hint)
    return key
