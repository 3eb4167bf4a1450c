"""The contract, kept by a real Kafka."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from broker.kafka_group import KafkaSubscription
from broker.kafka_reader import KafkaReader
from broker.kafka_writer import KafkaWriter
from broker.log import Listener
from broker.settings import KafkaSettings
from forebay.units import Duration
from tests.broker.contract import PARTITIONS, LogContract
from tests.peers.kafka import KafkaBroker


class KafkaHarness:
    """A topic of the test's own."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._writers: list[KafkaWriter] = []
        self._readers: list[KafkaReader | KafkaSubscription] = []

    async def writer(self) -> KafkaWriter:
        writer = KafkaWriter(self.settings)
        self._writers.append(writer)
        return writer

    def reader(self) -> KafkaReader:
        reader = KafkaReader(self.settings)
        self._readers.append(reader)
        return reader

    def subscription(self, group: str, listener: Listener, member: str = "") -> KafkaSubscription:
        subscription = KafkaSubscription(self.settings, f"{self.settings.topic}-{group}", listener, member)
        self._readers.append(subscription)
        return subscription

    async def close(self) -> None:
        for reader in self._readers:
            reader.close()
        for writer in self._writers:
            await writer.close()


@pytest.fixture
async def harness(kafka: KafkaBroker) -> AsyncIterator[KafkaHarness]:
    topic = kafka.create_topic(f"contract-{uuid4().hex}", PARTITIONS)
    harness = KafkaHarness(
        KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic, session_timeout=Duration.parse("6s"))
    )
    yield harness
    await harness.close()


class TestKafkaLog(LogContract):
    pass
