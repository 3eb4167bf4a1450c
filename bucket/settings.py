"""Thanos' object-storage YAML as it stands: `type`, `config`, `prefix`."""

from typing import Any

import msgspec

from bucket.keys import InvalidKey, check_key
from bucket.s3_settings import S3Config, read_s3

_THANOS_ONLY = ("GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI", "OBS")


class FilesystemConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    directory: str


class BucketSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the blocks go. Made by msgspec.convert, whose ValidationError then names the path of what is wrong."""

    type: str = "FILESYSTEM"
    config: dict[str, Any] = {}
    """As its type wants it: `filesystem` or `s3` reads it."""
    prefix: str = ""
    """Everything lies below it. Slashes at its ends mean nothing, as in Thanos."""

    def __post_init__(self) -> None:
        if self.kind in _THANOS_ONLY:
            raise ValueError(f"type {self.type} is known to Thanos but not to forebay; use S3 or FILESYSTEM")
        if self.kind not in ("FILESYSTEM", "S3"):
            raise ValueError(f"type {self.type!r} is unknown; use S3 or FILESYSTEM")
        try:
            self.s3() if self.kind == "S3" else self.filesystem()
        except msgspec.ValidationError as error:
            raise ValueError(f"config: {error}") from error
        if self.key_prefix:
            try:
                check_key(self.key_prefix)
            except InvalidKey as error:
                raise ValueError(f"prefix: {error}") from error

    @property
    def kind(self) -> str:
        """`type` in capitals: Thanos takes any case."""
        return self.type.upper()

    @property
    def key_prefix(self) -> str:
        """Without slashes at its ends; empty for none."""
        return self.prefix.strip("/")

    def filesystem(self) -> FilesystemConfig:
        config = msgspec.convert(self.config, FilesystemConfig)
        if not config.directory:
            raise msgspec.ValidationError("Expected a directory - at `$.directory`")
        return config

    def s3(self) -> S3Config:
        return read_s3(self.config)
