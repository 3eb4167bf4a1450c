"""From settings to boto's clients: where, signed with what, how patient."""

import re
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from bucket.s3_errors import translated
from bucket.s3_settings import S3Config

_CONNECT_SECONDS = 5.0
_AWS_REGION = re.compile(r"s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\Z")
_ANY_REGION = "us-east-1"  # what stores without regions sign with


class S3Clients(NamedTuple):
    patient: Any
    """Sends a request again that failed, with growing jittered waits (botocore's standard mode)."""
    single: Any
    """Sends a request once: for `replace`, where a second attempt would meet the first one's success."""

    def close(self) -> None:
        self.patient.close()
        self.single.close()


def make_clients(config: S3Config) -> S3Clients:
    """Asks nobody yet, but may read the AWS chain's files. Raises BucketMisconfigured."""
    with translated("connect", ""):
        session = boto3.Session(
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            aws_session_token=config.session_token or None,
        )
        region = config.region or _region_of(config.endpoint) or session.region_name or _ANY_REGION
        http = config.http_config

        def client(attempts: int) -> Any:
            return session.client(
                "s3",
                endpoint_url=config.url,
                region_name=region,
                verify=_verify(config),
                config=Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=http.response_header_timeout.seconds,
                    max_pool_connections=http.connections,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    client_cert=(http.tls_config.cert_file, http.tls_config.key_file)
                    if http.tls_config.cert_file
                    else None,
                    # The newer checksums are unknown to many stores; the signature covers the body's SHA-256 instead.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    signature_version="s3v4",
                    s3={"addressing_style": _style(config), "payload_signing_enabled": True},
                ),
            )

        return S3Clients(client(1 + config.max_retries), client(1))


def _region_of(endpoint: str) -> str:
    found = _AWS_REGION.match(endpoint.partition(":")[0])
    return found[1] if found else ""


def _style(config: S3Config) -> str:
    if config.bucket_lookup_type == "auto":
        return "virtual" if config.on_aws else "path"
    return "path" if config.bucket_lookup_type == "path" else "virtual"


def _verify(config: S3Config) -> bool | str:
    tls = config.http_config.tls_config
    if config.http_config.insecure_skip_verify or tls.insecure_skip_verify:
        return False
    return tls.ca_file or True
