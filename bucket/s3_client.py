"""From settings to boto's clients: where, signed with what, how patient."""

import os
import re
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from bucket import s3_tls
from bucket.s3_errors import usable
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
    """Asks no store yet, but reads the files of TLS and of the AWS chain. Raises BucketMisconfigured."""
    s3_tls.check_files(config)
    with usable():
        session = boto3.Session(
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            aws_session_token=config.session_token or None,
        )
        region = config.region or _region_of(config.endpoint) or _region_around(session) or _ANY_REGION
        http = config.http_config

        def client(attempts: int) -> Any:
            made = session.client(
                "s3",
                endpoint_url=config.url,
                region_name=region,
                verify=s3_tls.verify(config),
                config=Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=http.response_header_timeout.seconds,
                    max_pool_connections=http.connections,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    client_cert=s3_tls.client_cert(config),
                    # The newer checksums are unknown to many stores; the signature covers the body's SHA-256 instead.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    signature_version="s3v4",
                    s3={"addressing_style": _style(config), "payload_signing_enabled": True},
                ),
            )
            s3_tls.adapt(made, config)
            return made

        return S3Clients(client(1 + config.max_retries), client(1))


def _region_of(endpoint: str) -> str:
    found = _AWS_REGION.match(endpoint.partition(":")[0])
    return found[1] if found else ""


def _region_around(session: boto3.Session) -> str | None:
    # AWS_REGION is what other SDKs read, and what EKS sets; boto reads AWS_DEFAULT_REGION and the profile.
    return os.environ.get("AWS_REGION") or session.region_name


def _style(config: S3Config) -> str:
    if config.bucket_lookup_type == "auto":
        return "virtual" if config.on_aws else "path"
    return "path" if config.bucket_lookup_type == "path" else "virtual"
