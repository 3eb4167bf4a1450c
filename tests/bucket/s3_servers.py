"""Real servers of the S3 protocol for tests: moto's in this process, and versitygw beside it."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.server import ThreadedMotoServer

from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import read_s3
from tests.peers.process import Process, free_port
from tests.peers.recipes import Recipe

ACCESS_KEY = "forebay-access"
SECRET_KEY = "forebay-very-secret"


class S3Server:
    """One pair of clients serves all buckets of a server: making it takes longer than most tests."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clients = make_clients(read_s3(self.config("any")))

    def config(self, bucket: str, **more: Any) -> dict[str, Any]:
        """As it would stand in the settings file."""
        return {
            "bucket": bucket,
            "endpoint": self.endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "insecure": True,
            **more,
        }

    def make_bucket(self) -> str:
        """An empty bucket; its name."""
        name = f"test-{secrets.token_hex(6)}"
        self.clients.patient.create_bucket(Bucket=name)
        return name

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
def versitygw_server(recipe: Recipe, directory: Path) -> Iterator[S3Server]:
    (directory / "buckets").mkdir(parents=True)
    port = free_port()
    program, buckets = str(recipe.program("versitygw")), str(directory / "buckets")
    command = [program, "--port", f"127.0.0.1:{port}", "--health", "/health", "posix", buckets]
    environment = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with Process(command, directory / "log", environment) as process:
        process.wait_ready(f"http://127.0.0.1:{port}/health")
        yield S3Server(f"127.0.0.1:{port}")
