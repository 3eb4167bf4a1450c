"""What S3 and the way to it answer, by what the caller does next."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
)
from botocore.parsers import ResponseParserError

from bucket.bucket import BucketMisconfigured, BucketUnavailable, ObjectNotFound, PreconditionFailed
from forebay.errors import ForebayError

_NO_KEYS = "set access_key and secret_key in bucket.config, or give the process a role or AWS_ACCESS_KEY_ID"
_PROFILE = "correct AWS_PROFILE, or write that profile into ~/.aws/config or ~/.aws/credentials"
_CLIENT = "correct bucket.config, or the AWS chain's variables (AWS_...) and files (~/.aws)"
_AUTHORITY = "name its authority in bucket.config.http_config.tls_config.ca_file"
_HOST = "correct bucket.config.endpoint, or name the certificate's host in http_config.tls_config.server_name"
_NO_TLS = "set bucket.config.insecure to true for a store without TLS, or correct the endpoint's port"
_CLOCK = "set this machine's clock: the store refuses signatures minutes off its own; try `timedatectl`"
_PERMISSION = "allow ListBucket, GetObject, PutObject, DeleteObject and AbortMultipartUpload on the bucket"
_KMS = "correct bucket.config.sse_config.kms_key_id, or allow GenerateDataKey and Decrypt with that key"
_SETTINGS = "compare bucket.config with the store: endpoint, region, bucket, insecure"

_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_CONFLICT = "if it lasts: a store on a filesystem cannot hold an object `a` beside an object `a/b`"
_BUSY = frozenset({"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"})
_HINTS = {
    "NoSuchBucket": "create the bucket, or correct bucket.config.bucket",
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "InvalidAccessKeyId": _NO_KEYS,
    "SignatureDoesNotMatch": "correct secret_key in bucket.config, or AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "renew session_token, or leave it out and give the process a role",
    "InvalidToken": "renew session_token, or leave it out and give the process a role",
    "AccessDenied": _PERMISSION,
    "403": _PERMISSION,
    "AuthorizationHeaderMalformed": "correct bucket.config.region",
    "PermanentRedirect": "correct bucket.config.region and endpoint",
}


_TLS_HINTS = {  # the first that is in the words of OpenSSL or urllib3
    "Hostname mismatch": _HOST,
    "IP address mismatch": _HOST,
    "doesn't match": _HOST,
    "CERTIFICATE_VERIFY_FAILED": _AUTHORITY,
    "WRONG_VERSION_NUMBER": _NO_TLS,
}


class TryAgain(BucketUnavailable):
    """A conflict of racing writes or a body that was cut off: the same request is worth sending again at once."""


@contextmanager
def translated(operation: str, key: str) -> Iterator[None]:
    """Turns what boto raises into the bucket's errors."""
    try:
        yield
    except ClientError as error:
        raise _of_answer(error.response, operation, key) from error
    except (BotoCoreError, HTTPClientError, ResponseParserError) as error:
        raise _of_transport(error, operation, key) from error
    except RecursionError as error:  # botocore follows a redirect to another region, however often it is sent one
        problem = f"s3 redirects in a circle operation={operation} key={key}"
        raise BucketMisconfigured(problem, hint=_HINTS["PermanentRedirect"]) from error


@contextmanager
def usable() -> Iterator[None]:
    """While a client is made and nobody was asked yet: whatever is wrong is for the operator to put right."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        hint = _PROFILE if isinstance(error, ProfileNotFound) else _CLIENT
        if isinstance(error, PartialCredentialsError):
            hint = _NO_KEYS
        raise BucketMisconfigured(f"s3 client cannot be made error={str(error)!r}", hint=hint) from error


def _of_answer(answer: Mapping[str, Any], operation: str, key: str) -> ForebayError:
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(answer.get("Error", {}).get("Code", ""))
    if status == 404 and code in _MISSING:
        return ObjectNotFound(f"no such object key={key}")
    if status == 412 or code == "PreconditionFailed":
        return PreconditionFailed(f"object exists already or is another version key={key}")
    text = str(answer.get("Error", {}).get("Message", ""))
    kind, hint = _verdict(status, code)
    return kind(f"s3 refused operation={operation} key={key} status={status} code={code} message={text!r}", hint=hint)


def _verdict(status: int, code: str) -> tuple[type[BucketUnavailable], str]:
    if status == 409:
        return TryAgain, _CONFLICT
    if status == 429 or code in _BUSY:
        return BucketUnavailable, "the store asks for less: it is tried again more slowly"
    if code in _HINTS:
        return BucketMisconfigured, _HINTS[code]
    if status >= 500 or code == "RequestTimeout":
        return BucketUnavailable, "look at the store; it is tried again"
    if code.lower().startswith("kms"):
        return BucketMisconfigured, _KMS
    return BucketMisconfigured, _PERMISSION if status in (401, 403) else _SETTINGS


def _of_transport(error: Exception, operation: str, key: str) -> BucketUnavailable:
    problem = f"s3 did not answer operation={operation} key={key} error={str(error)!r}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError | SSOError):
        return BucketMisconfigured(problem, hint=_NO_KEYS)
    if isinstance(error, SSLError):
        for sign, hint in _TLS_HINTS.items():
            if sign in str(error):
                return BucketMisconfigured(problem, hint=hint)
    return BucketUnavailable(problem, hint="look at the store and the way to it; it is tried again")
