"""How the store's certificate is checked and one's own is shown: Thanos' `http_config.tls_config` for botocore."""

import ssl
from pathlib import Path
from typing import Any

from bucket.bucket import BucketMisconfigured
from bucket.s3_settings import S3Config


def verify(config: S3Config) -> bool | str | None:
    """For botocore: False for no check, a file of authorities, or None for AWS_CA_BUNDLE and the usual ones."""
    tls = config.http_config.tls_config
    if config.http_config.insecure_skip_verify or tls.insecure_skip_verify:
        return False
    return None if tls.trust_root_ca else tls.ca_file or None


def client_cert(config: S3Config) -> tuple[str, str] | None:
    """For botocore."""
    tls = config.http_config.tls_config
    return (tls.cert_file, tls.key_file) if tls.cert_file else None


def check_files(config: S3Config) -> None:
    """Raises BucketMisconfigured where a file cannot be used, of which botocore says so late and darkly."""
    tls = config.http_config.tls_config
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = tls.ca_file
    try:
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        if tls.cert_file:
            path = f"{tls.cert_file} and {tls.key_file}"
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")  # else a locked key asks the terminal
    except OSError as error:  # ssl.SSLError is one
        raise BucketMisconfigured(
            f"s3 cannot use a file of tls_config file={path} error={str(error)!r}",
            hint="correct bucket.config.http_config.tls_config: PEM files that this user can read, the key unlocked",
        ) from error


def adapt(client: Any, config: S3Config) -> None:
    """Tells the connection pools what botocore has no setting for.

    Were it lost on a newer botocore, the store's certificate would be refused: it fails safely.
    """
    tls = config.http_config.tls_config
    pool = client._endpoint.http_session._manager.connection_pool_kw  # noqa: SLF001 - test_s3_tls.py holds it
    if tls.server_name:
        pool["server_hostname"] = tls.server_name
    if tls.trust_root_ca and tls.ca_file:
        pool["ca_cert_data"] = Path(tls.ca_file).read_text()  # beside the usual ones
