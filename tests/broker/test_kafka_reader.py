"""What Kafka's reader does beyond the contract."""

import pytest

from broker.kafka_reader import KafkaReader
from broker.log import LogUnavailable
from broker.settings import CreateTopic, KafkaSettings
from tests.peers.kafka import KafkaBroker


def test_whoever_only_looks_makes_no_topic(kafka: KafkaBroker, topic_name: str) -> None:
    settings = KafkaSettings(
        bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=CreateTopic(1, replication_factor=1)
    )
    for _ in range(2):
        with pytest.raises(LogUnavailable, match=f"there is no log yet topic={topic_name}"):
            KafkaReader(settings)
