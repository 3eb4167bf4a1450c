import base64
import random
import struct

import pytest
from confluent_kafka import Uuid

from broker.kafka_topic import KafkaTopic, log_id_of
from broker.kafka_writer import KafkaWriter
from broker.log import NewRecord
from broker.settings import CreateTopic, KafkaSettings
from bucket import layout
from bucket.keys import check_key
from tests.peers.kafka import KafkaBroker


def test_a_log_id_is_one_part_of_a_key() -> None:
    chance = random.Random(1)
    seen = set()
    for _ in range(200):
        most, least = chance.randrange(-(1 << 63), 1 << 63), chance.randrange(-(1 << 63), 1 << 63)
        log_id = log_id_of(Uuid(most, least))
        assert base64.urlsafe_b64decode(log_id + "==") == struct.pack(">qq", most, least)
        check_key(layout.manifest_key(log_id, 0, 0))
        assert layout.manifest_key(log_id, 0, 0).split("/")[2] == log_id
        seen |= set(log_id)
    assert seen >= {"-", "_"}
    assert not seen & {"+", "/", "="}


async def test_a_log_id_is_what_kafka_calls_the_topic(kafka: KafkaBroker, topic_name: str) -> None:
    for number in range(4):  # half of all ids have a character that is written in two ways
        name = kafka.create_topic(f"{topic_name}-{number}", 1)
        writer = KafkaWriter(KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=name))
        await writer.append([NewRecord(0, b"", b"")])
        assert writer.log_id == kafka.topic_id(name) == kafka.written_topic_id(name)
        await writer.close()


def test_a_topic_that_was_just_made_is_waited_for(
    kafka: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe, unaware = KafkaTopic.describe, [None] * 3  # answers of a broker that has not heard of it yet
    monkeypatch.setattr(KafkaTopic, "describe", lambda self: unaware.pop() if unaware else describe(self))
    create = CreateTopic(partitions=2, replication_factor=1)
    topic = KafkaTopic(KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=create)).open()
    assert topic == (kafka.topic_id(topic_name), 2)
    assert not unaware
