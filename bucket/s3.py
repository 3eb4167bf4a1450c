"""A bucket in S3, or in a store that speaks its protocol."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import BotoCoreError, HTTPClientError

from bucket.bucket import ObjectInfo, ObjectNotFound, PreconditionFailed
from bucket.keys import InvalidKey, check_key, check_prefix
from bucket.s3_client import S3Clients
from bucket.s3_encryption import make_encryption
from bucket.s3_errors import TryAgain, translated
from bucket.s3_settings import S3Config

T = TypeVar("T")

_ATTEMPTS = 4  # after a conflict or a cut body, besides what the client itself sends again
_FIRST_WAIT = 0.1  # seconds; doubles
_COPY_BYTES = 1 << 20
_ONE_PUT = 5 << 30  # bytes; S3 takes no more in one request


class S3Bucket:
    """Implements Bucket. Equal bytes are equal versions: a version is the store's ETag."""

    def __init__(self, config: S3Config, clients: S3Clients, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises BucketMisconfigured where the key of SSE-C cannot be read."""
        self._config = config
        self._clients = clients
        self._client = clients.patient
        self._sleep = sleep
        encryption = make_encryption(config.sse_config)
        self._read_args = encryption.read
        self._write_args = _write_args(config) | encryption.write
        self._transfer = TransferConfig(
            multipart_threshold=_ONE_PUT if config.disable_multipart else config.part_bytes,
            multipart_chunksize=config.part_bytes,
            use_threads=False,
        )

    @property
    def description(self) -> str:
        return f"s3 bucket={self._config.bucket} endpoint={self._config.endpoint}"

    def get(self, key: str) -> bytes:
        return self._again("get", key, lambda: self._read("get", key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        if length <= 0:
            self.stat(key)
            return b""
        return self._again("get_range", key, lambda: self._read_range(key, start, length))

    def stat(self, key: str) -> ObjectInfo:
        head = self._again("stat", key, lambda: self._client.head_object(**self._at(key), **self._read_args))
        return _info(key, head["ContentLength"], head)

    def put(self, key: str, data: bytes) -> None:
        self._again("put", key, lambda: self._client.put_object(**self._at(key), **self._write_args, Body=data))

    def put_file(self, key: str, source: Path) -> None:
        check_key(key)
        source.stat()  # its absence is the caller's, not the store's

        def upload() -> None:
            # Parts that were sent are aborted where one fails.
            with create_transfer_manager(self._client, self._transfer) as manager:
                manager.upload(str(source), self._config.bucket, key, dict(self._write_args)).result()

        self._again("put_file", key, upload)

    def create(self, key: str, data: bytes) -> None:
        self._again(
            "create",
            key,
            lambda: self._client.put_object(**self._at(key), **self._write_args, Body=data, IfNoneMatch="*"),
        )

    def replace(self, key: str, data: bytes, version: str) -> None:
        def send() -> None:
            self._clients.single.put_object(**self._at(key), **self._write_args, Body=data, IfMatch=version)

        try:
            self._again("replace", key, send)
        except (PreconditionFailed, TryAgain):
            self.stat(key)  # some stores answer so where there is no object at all
            raise

    def delete(self, key: str) -> None:
        try:
            self._again("delete", key, lambda: self._client.delete_object(**self._at(key)))
        except ObjectNotFound:
            return

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        for page in self._pages(prefix, start_after, delimiter=""):
            for found in page.get("Contents", ()):
                if _is_key(found["Key"]):
                    yield _info(found["Key"], found["Size"], found)

    def list_dirs(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        for page in self._pages(prefix, "", delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                if _is_key(found["Prefix"].removesuffix("/")):
                    yield found["Prefix"].removeprefix(prefix).removesuffix("/")

    def download(self, key: str, target: Path) -> None:
        def copy() -> None:
            body = self._client.get_object(**self._at(key), **self._read_args)["Body"]
            file = target.open("xb")
            try:
                with file:
                    while data := _read_some(body, "download", key):
                        file.write(data)
            except BaseException:
                target.unlink()
                raise

        self._again("download", key, copy)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    def close(self) -> None:
        self._clients.close()

    def _at(self, key: str) -> dict[str, str]:
        check_key(key)
        return {"Bucket": self._config.bucket, "Key": key}

    def _again(self, operation: str, key: str, send: Callable[[], T]) -> T:
        """Sends until it is neither a conflict nor a cut body, `_ATTEMPTS` times at most."""
        check_key(key)
        for attempt in range(_ATTEMPTS - 1):
            try:
                with translated(operation, key):
                    return send()
            except TryAgain:
                self._sleep(_FIRST_WAIT * 2**attempt * random.random())  # noqa: S311 - spreads attempts, guards nothing
        with translated(operation, key):
            return send()

    def _read(self, operation: str, key: str) -> bytes:
        body = self._client.get_object(**self._at(key), **self._read_args)["Body"]
        return _read_some(body, operation, key, None)

    def _read_range(self, key: str, start: int, length: int) -> bytes:
        try:
            wanted = f"bytes={start}-{start + length - 1}"
            answer = self._client.get_object(**self._at(key), **self._read_args, Range=wanted)
        except self._client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:
                return b""  # behind the object's end
            raise
        data = _read_some(answer["Body"], "get_range", key, None)
        whole = answer["ResponseMetadata"]["HTTPStatusCode"] == 200  # a store may know no ranges
        return data[start : start + length] if whole else data

    def _pages(self, prefix: str, start_after: str, delimiter: str) -> Iterator[dict[str, Any]]:
        old = self._config.list_objects_version == "v1"
        paginator = self._client.get_paginator("list_objects" if old else "list_objects_v2")
        after = {"Marker" if old else "StartAfter": start_after} if start_after else {}
        pages = iter(paginator.paginate(Bucket=self._config.bucket, Prefix=prefix, Delimiter=delimiter, **after))
        while True:
            with translated("list", prefix):
                page = next(pages, None)
            if page is None:
                return
            yield page


def _read_some(body: Any, operation: str, key: str, size: int | None = _COPY_BYTES) -> bytes:
    """Raises TryAgain where the body ends before its length, or stalls."""
    try:
        data: bytes = body.read(size)
    except (BotoCoreError, HTTPClientError) as error:
        raise TryAgain(f"s3 cut an answer off operation={operation} key={key} error={str(error)!r}") from error
    return data


def _info(key: str, size: int, found: dict[str, Any]) -> ObjectInfo:
    # Whole seconds: an answer's header holds no more, and both ways of asking are to say the same.
    return ObjectInfo(key, size, int(found["LastModified"].timestamp()) * 1000, found["ETag"])


def _is_key(key: str) -> bool:
    """Others may keep in the same bucket what cannot be named here, such as consoles' `folder/` markers."""
    try:
        check_key(key)
    except InvalidKey:
        return False
    return True


def _write_args(config: S3Config) -> dict[str, Any]:
    args: dict[str, Any] = {}
    if config.metadata:
        args["Metadata"] = config.metadata
    if config.storage_class:
        args["StorageClass"] = config.storage_class
    return args
