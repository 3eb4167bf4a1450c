"""The real servers of a run: a Kafka broker and an S3 server, each with a topic and a bucket for every run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bucket.s3_servers import S3Server, versitygw_server
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import PEERS


class Servers:
    """`buckets` is where the S3 server keeps its buckets on this machine."""

    def __init__(self, kafka: KafkaBroker, s3: S3Server, buckets: Path) -> None:
        self._kafka = kafka
        self._s3 = s3
        self._buckets = buckets

    def settings(self, partitions: int, segment: str, session: str) -> tuple[dict[str, Any], Path]:
        """A settings file with a topic and a bucket of its own, and where the bucket's objects lie."""
        bucket = self._s3.make_bucket()
        name = f"elastic-{secrets.token_hex(4)}"
        settings = {
            "broker": {
                "type": "kafka",
                "kafka": {
                    "bootstrap_servers": self._kafka.bootstrap,
                    "topic": name,
                    "create_topic": {"partitions": partitions, "replication_factor": 1},
                    "session_timeout": session,
                },
            },
            "consumer": {"group": name},
            "bucket": {"type": "S3", "config": self._s3.config(bucket)},
            "segment": {"interval": segment, "grace": "1s"},
        }
        return settings, self._buckets / bucket


@contextmanager
def servers(directory: Path) -> Iterator[Servers]:
    """Both running; they must have been set up: `python -m tests.peers kafka versitygw`."""
    with (
        KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as kafka,
        versitygw_server(PEERS["versitygw"], directory / "s3") as s3,
    ):
        yield Servers(kafka, s3, directory / "s3" / "buckets")
