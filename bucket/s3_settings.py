"""Thanos' settings of an S3 bucket, key by key: what cannot be honoured is refused by name, never passed over."""

from typing import Any, Literal

import msgspec

from forebay.units import Duration

_AWS_STORAGE_CLASS = "x-amz-storage-class"
_MIN_PART = 5 << 20  # bytes; S3's own bounds of a part
_MAX_PART = 5 << 30
_DEFAULT_PART = 64 << 20


class TLSConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ca_file: str = ""
    trust_root_ca: bool = False
    """The usual authorities beside those of `ca_file`, not only these."""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    """Whose certificate it must be, and who is asked for it; the endpoint's host by default."""
    insecure_skip_verify: bool = False

    def __post_init__(self) -> None:
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file belong together")


class HTTPConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    response_header_timeout: Duration = Duration.parse("30s")
    """How long the store may be silent, before and within an answer."""
    max_conns_per_host: int = 0
    """0: as many as `max_idle_conns_per_host`."""
    max_idle_conns_per_host: int = 100
    insecure_skip_verify: bool = False
    tls_config: TLSConfig = TLSConfig()
    # Of Go's transport, without a counterpart here: taken and without effect.
    idle_conn_timeout: Duration = Duration.parse("1m30s")
    tls_handshake_timeout: Duration = Duration.parse("10s")
    expect_continue_timeout: Duration = Duration.parse("1s")
    max_idle_conns: int = 100
    disable_compression: bool = False
    force_attempt_http2: bool = False

    def __post_init__(self) -> None:
        if self.response_header_timeout <= 0:
            raise ValueError("response_header_timeout must be above 0")
        if self.connections <= 0:
            raise ValueError("max_conns_per_host or max_idle_conns_per_host must be above 0")

    @property
    def connections(self) -> int:
        """Kept open to the store."""
        return self.max_conns_per_host or self.max_idle_conns_per_host


class SSEConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["", "SSE-S3", "SSE-KMS", "SSE-C"] = ""
    kms_key_id: str = ""
    kms_encryption_context: dict[str, str] = {}
    encryption_key: str = ""
    """A file: the customer's key."""

    def __post_init__(self) -> None:
        if self.type == "SSE-C" and not self.encryption_key:
            raise ValueError("SSE-C needs encryption_key, a file of 32 bytes")
        if self.type == "SSE-KMS" and not self.kms_key_id:
            raise ValueError("SSE-KMS needs kms_key_id")


class TraceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enable: bool = False

    def __post_init__(self) -> None:
        if self.enable:
            raise ValueError("tracing of requests is not built; set enable to false")


class S3Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`config` of a bucket of type S3. Its representation holds no secret."""

    bucket: str
    endpoint: str
    """HOST or HOST:PORT, without a scheme: `insecure` says which."""
    region: str = ""
    aws_sdk_auth: bool = False
    access_key: str = ""
    """Without it, the usual AWS chain: environment, shared files, web identity, container, instance."""
    secret_key: str = ""
    session_token: str = ""
    insecure: bool = False
    signature_version2: bool = False
    put_user_metadata: dict[str, str] = {}
    http_config: HTTPConfig = HTTPConfig()
    trace: TraceConfig = TraceConfig()
    list_objects_version: Literal["", "v1", "v2"] = ""
    bucket_lookup_type: Literal["auto", "virtual-hosted", "path"] = "auto"
    send_content_md5: bool = True
    """Taken, true or false: the SHA-256 of every body is signed, which holds more."""
    disable_multipart: bool = False
    disable_dualstack: bool = False
    """Taken: only the configured endpoint is ever asked."""
    part_size: int = _DEFAULT_PART
    """Bytes; 0 for the default."""
    sse_config: SSEConfig = SSEConfig()
    sts_endpoint: str = ""
    max_retries: int = 3

    def __post_init__(self) -> None:
        if not self.bucket or "/" in self.bucket:
            raise ValueError("bucket must be a bucket's name")
        if not self.endpoint or "/" in self.endpoint:
            raise ValueError("endpoint must be HOST or HOST:PORT without a scheme; insecure says which")
        self._check_keys()
        if self.signature_version2:
            raise ValueError("signature_version2 is not built; requests are signed with version 4")
        if self.sts_endpoint:
            raise ValueError("sts_endpoint is not read; set the environment variable AWS_ENDPOINT_URL_STS")
        if self.sse_config.type == "SSE-C" and self.insecure:
            raise ValueError("SSE-C sends its key with every request, which no store takes without TLS")
        if self.part_size and not _MIN_PART <= self.part_size <= _MAX_PART:
            raise ValueError(f"part_size must be between {_MIN_PART} and {_MAX_PART}")
        if self.max_retries < 0:
            raise ValueError("max_retries must be at least 0")

    def _check_keys(self) -> None:
        if bool(self.access_key) != bool(self.secret_key):
            raise ValueError("access_key and secret_key belong together; without both, the AWS chain is asked")
        if self.session_token and not self.access_key:
            raise ValueError("session_token needs access_key and secret_key")
        if self.aws_sdk_auth and self.access_key:
            raise ValueError("aws_sdk_auth and access_key exclude each other")

    def __repr__(self) -> str:
        return f"S3Config(bucket={self.bucket!r}, endpoint={self.endpoint!r})"

    @property
    def url(self) -> str:
        return f"{'http' if self.insecure else 'https'}://{self.endpoint}"

    @property
    def on_aws(self) -> bool:
        host = self.endpoint.partition(":")[0]
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def part_bytes(self) -> int:
        return self.part_size or _DEFAULT_PART

    @property
    def metadata(self) -> dict[str, str]:
        """`put_user_metadata`, but for the storage class."""
        return {name: value for name, value in self.put_user_metadata.items() if name.lower() != _AWS_STORAGE_CLASS}

    @property
    def storage_class(self) -> str:
        """Thanos' way to say it: a metadata entry X-Amz-Storage-Class. Empty for the store's default."""
        return next((v for name, v in self.put_user_metadata.items() if name.lower() == _AWS_STORAGE_CLASS), "")


def read_s3(config: dict[str, Any]) -> S3Config:
    """Raises msgspec.ValidationError, which names the path."""
    return msgspec.convert(config, S3Config, dec_hook=_decode)


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration and isinstance(value, str):
        return Duration.parse(value)
    raise ValueError("expected a duration such as 30s or 2m")
