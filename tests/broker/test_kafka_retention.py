"""Retention that overtakes whoever reads: what is left is read, and the hole shows in the offsets."""

from collections.abc import AsyncIterator

import pytest

from broker.log import NewRecord, Record
from tests.broker.contract import Recorder, poll_all, read_all
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.broker.test_kafka_contract import GROUPS
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")


@pytest.fixture(params=GROUPS)
async def harness(kafka: KafkaBroker, topic_name: str, request: pytest.FixtureRequest) -> AsyncIterator[KafkaHarness]:
    """Its one partition holds ten records."""
    kafka.create_topic(topic_name, 1)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name, **GROUPS[request.param]))
    await append(harness, 10)
    yield harness
    await harness.close()


async def append(harness: KafkaHarness, records: int) -> None:
    await (await harness.writer()).append([NewRecord(0, b"t", b"x")] * records)


def offsets(records: list[Record]) -> list[int]:
    return [record.offset for record in records]


async def test_a_reader_starts_at_the_oldest(kafka: KafkaBroker, topic_name: str, harness: KafkaHarness) -> None:
    reader = harness.reader()
    assert offsets(read_all(reader, 0)) == list(range(10))
    kafka.delete_records(topic_name, 0, 6)
    assert reader.start_offset(0) == 6
    for offset in (0, 5, 6):
        assert offsets(reader.read(0, offset, 1000)) == [6, 7, 8, 9]
    kafka.delete_records(topic_name, 0, 10)
    assert reader.read(0, 0, 1000) == []
    assert reader.start_offset(0) == reader.end_offset(0) == 10


async def test_a_member_that_begins_behind_the_oldest(
    kafka: KafkaBroker, topic_name: str, harness: KafkaHarness
) -> None:
    kafka.delete_records(topic_name, 0, 6)
    subscription = harness.subscription("group", Recorder({0: 2}))
    assert offsets(poll_all(subscription, 4)) == [6, 7, 8, 9]
    assert (subscription.start_offset(0), subscription.position(0)) == (6, 10)


async def test_a_member_that_is_overtaken_while_it_stands_still(
    kafka: KafkaBroker, topic_name: str, harness: KafkaHarness
) -> None:
    subscription = harness.subscription("group", Recorder())
    assert offsets(poll_all(subscription, 1, max_bytes=1)) == [0]
    subscription.pause(0)
    kafka.delete_records(topic_name, 0, 6)
    assert subscription.poll(0.1, 1000) == []
    assert subscription.position(0) == 1
    subscription.resume(0)
    assert offsets(poll_all(subscription, 4)) == [6, 7, 8, 9]
    subscription.seek(0, 3)
    assert offsets(poll_all(subscription, 4)) == [6, 7, 8, 9]


async def test_a_member_of_a_log_that_has_nothing_left(
    kafka: KafkaBroker, topic_name: str, harness: KafkaHarness
) -> None:
    kafka.delete_records(topic_name, 0, 10)
    subscription = harness.subscription("group", Recorder({0: 4}))
    assert subscription.poll(2.0, 1000) == []
    await append(harness, 2)
    assert offsets(poll_all(subscription, 2)) == [10, 11]
