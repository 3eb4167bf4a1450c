"""The peer itself: it does what the tests of the Kafka log rely on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.peers.kafka import PASSWORD, USER, KafkaBroker
from tests.peers.process import PeerError
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.peer("kafka-4.1")

QUIET: dict[str, str | int | float | bool] = {"reconnect.backoff.max.ms": 200, "log_level": 0}


def put(bootstrap: str, topic: str, *values: bytes, **settings: str) -> None:
    options = {key.replace("_", "."): value for key, value in settings.items()}
    producer = Producer({"bootstrap.servers": bootstrap, **QUIET, **options})
    outcomes: list[KafkaError | None] = []
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(30)
    # Not compared with None: KafkaError's == leaves a stray TypeError behind.
    assert [outcome is None for outcome in outcomes] == [True] * len(values)


def get(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", **QUIET})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value() or b"")
    consumer.close()
    return values


def test_topics_come_and_go(kafka: KafkaBroker, topic_name: str) -> None:
    kafka.create_topic(topic_name, 2, max_message_bytes=2_000_000)
    first = kafka.topic_id(topic_name)
    kafka.add_partitions(topic_name, 3)
    assert kafka.topic_id(topic_name) == first
    put(kafka.bootstrap, topic_name, b"a", b"b", b"c")
    kafka.delete_records(topic_name, 0, 2)
    assert get(kafka.bootstrap, topic_name, 1) == [b"c"]
    kafka.delete_topic(topic_name)
    kafka.create_topic(topic_name, 1)
    assert kafka.topic_id(topic_name) != first


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_asks_for_a_password(kafka: KafkaBroker, topic_name: str, mechanism: str) -> None:
    kafka.create_topic(topic_name)
    settings = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_username": USER}
    put(kafka.sasl_bootstrap, topic_name, b"a", sasl_password=PASSWORD, **settings)
    assert get(kafka.bootstrap, topic_name, 1) == [b"a"]
    wrong = {key.replace("_", "."): value for key, value in settings.items()} | {"sasl.password": "wrong"}
    with pytest.raises(KafkaException):
        Producer({"bootstrap.servers": kafka.sasl_bootstrap, **QUIET, **wrong}).list_topics(timeout=1)


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(peer("kafka-4.1"), tmp_path / "kafka") as broker:
        yield broker


@pytest.mark.slow
def test_dies_and_comes_back_with_its_data(broker: KafkaBroker) -> None:
    broker.create_topic("topic", 1)
    before = broker.topic_id("topic")
    put(broker.bootstrap, "topic", b"a")
    broker.stop()
    broker.start()
    put(broker.bootstrap, "topic", b"b")
    broker.kill()
    with pytest.raises(PeerError, match="ended with -9"):
        broker.check_runs()
    broker.start()
    assert broker.topic_id("topic") == before
    broker.pause()
    with pytest.raises(AssertionError):
        put(broker.bootstrap, "topic", b"lost", delivery_timeout_ms="300", message_timeout_ms="300")
    broker.resume()
    assert get(broker.bootstrap, "topic", 2) == [b"a", b"b"]
