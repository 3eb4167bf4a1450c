"""The real servers of a run: a Kafka broker and an S3 server, each with a topic and a bucket for every run."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.bucket.s3_servers import S3Server, versitygw_server
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import PEERS


class Place(NamedTuple):
    """Where a run takes place."""

    settings: dict[str, Any]
    """What is in every role's settings file."""
    bucket: Path
    """Where the bucket's objects lie on this machine."""
    ends: Callable[[], list[int]]
    """By partition, one behind the log's newest record, as the broker says; empty where it does not answer."""


class Servers:
    """`buckets` is where the S3 server keeps its buckets on this machine."""

    def __init__(self, kafka: KafkaBroker, s3: S3Server, buckets: Path) -> None:
        self._kafka = kafka
        self._s3 = s3
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
        self._buckets = buckets

    def place(self, partitions: int, segment: str, session: str, protocol: str = "classic") -> Place:
        """A topic, a group and a bucket of its own."""
        bucket = self._s3.make_bucket()
        name = f"elastic-{secrets.token_hex(4)}"
        settings = {
            "broker": {
                "type": "kafka",
                "kafka": {
                    "bootstrap_servers": self._kafka.bootstrap,
                    "topic": name,
                    "create_topic": {"partitions": partitions, "replication_factor": 1},
                    "group_protocol": protocol,
                    "session_timeout": session,
                },
            },
            "consumer": {"group": name},
            "bucket": {"type": "S3", "config": self._s3.config(bucket)},
            "segment": {"interval": segment, "grace": "1s"},
        }
        return Place(settings, self._buckets / bucket, partial(self._ends, name, partitions))

    def _ends(self, topic: str, partitions: int) -> list[int]:
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)}
        try:
            answers = self._admin.list_offsets(asked)
            return [answers[place].result(10).offset for place in asked]
        except KafkaException:
            return []


@contextmanager
def servers(directory: Path) -> Iterator[Servers]:
    """Both running; they must have been set up: `python -m tests.peers kafka versitygw`."""
    with (
        KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as kafka,
        versitygw_server(PEERS["versitygw"], directory / "s3") as s3,
    ):
        yield Servers(kafka, s3, directory / "s3" / "buckets")
