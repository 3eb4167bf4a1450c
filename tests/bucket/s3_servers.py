"""Real servers of the S3 protocol for tests: moto's in this process, versitygw and MinIO beside it."""

import base64
import logging
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.server import ThreadedMotoServer

from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import read_s3
from tests.bucket.certificates import Authority
from tests.peers.process import Process, free_port
from tests.peers.recipes import Recipe

ACCESS_KEY = "forebay-access"
SECRET_KEY = "forebay-very-secret"
HOSTS = ("127.0.0.1", "object-store.example")
"""Whom a server's certificate names."""
KMS_KEY = "forebay-key"


class S3Server:
    """One pair of clients serves all buckets of a server: making it takes longer than most tests.

    With an authority that signed its certificate it speaks TLS only.
    """

    def __init__(self, endpoint: str, authority: Authority | None = None, drive: Path | None = None) -> None:
        self.endpoint = endpoint
        self.ca_file = authority.ca_file if authority else None
        self._drive = drive
        tls = {"tls_config": {"ca_file": str(self.ca_file)}}
        self._way: dict[str, Any] = {"http_config": tls} if authority else {"insecure": True}
        config = read_s3(self.config("any"))
        self.url = config.url
        self.clients = make_clients(config)

    def config(self, bucket: str, **more: Any) -> dict[str, Any]:
        """As it would stand in the settings file."""
        return {
            "bucket": bucket,
            "endpoint": self.endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            **self._way,
            **more,
        }

    def make_bucket(self) -> str:
        """An empty bucket; its name."""
        name = f"test-{secrets.token_hex(6)}"
        self.clients.patient.create_bucket(Bucket=name)
        return name

    def files(self, bucket: str, key: str) -> list[Path]:
        """Where the store keeps an object on disk."""
        assert self._drive is not None
        return [path for path in (self._drive / bucket / key).rglob("*") if path.is_file()]

    def open(self, bucket: str, **more: Any) -> S3Bucket:
        return S3Bucket(read_s3(self.config(bucket, **more)), self.clients)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        yield S3Server(f"127.0.0.1:{port}")
    finally:
        server.stop()


@contextmanager
def versitygw_server(recipe: Recipe, directory: Path, authority: Authority | None = None) -> Iterator[S3Server]:
    (directory / "buckets").mkdir(parents=True)
    port = free_port()
    program, buckets = str(recipe.program("versitygw")), str(directory / "buckets")
    command = [program, "--port", f"127.0.0.1:{port}", "--health", "/health"]
    if authority:
        certificate = authority.sign(*HOSTS)
        command += ["--cert", str(certificate.cert), "--key", str(certificate.key)]
    environment = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with Process([*command, "posix", buckets], directory / "log", environment) as process:
        server = S3Server(f"127.0.0.1:{port}", authority)
        process.wait_ready(f"{server.url}/health", ca_file=server.ca_file)
        yield server


@contextmanager
def minio_server(recipe: Recipe, directory: Path, authority: Authority | None = None) -> Iterator[S3Server]:
    """One drive, and a key of its own for SSE-S3 and SSE-KMS, `KMS_KEY`."""
    (directory / "certs").mkdir(parents=True)
    if authority:
        certificate = authority.sign(*HOSTS)
        shutil.copy(certificate.cert, directory / "certs" / "public.crt")
        shutil.copy(certificate.key, directory / "certs" / "private.key")
    port, console = free_port(), free_port()
    command = [
        str(recipe.program("minio")),
        "server",
        f"--address=127.0.0.1:{port}",
        f"--console-address=127.0.0.1:{console}",
        f"--certs-dir={directory / 'certs'}",
        str(directory / "drive"),
    ]
    environment = {
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": SECRET_KEY,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_KMS_SECRET_KEY": f"{KMS_KEY}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }
    with Process(command, directory / "log", environment) as process:
        server = S3Server(f"127.0.0.1:{port}", authority, directory / "drive")
        process.wait_ready(f"{server.url}/minio/health/ready", ca_file=server.ca_file)
        yield server
