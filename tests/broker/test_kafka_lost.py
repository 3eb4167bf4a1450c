"""A client that has forgotten every broker (test_kafka_fenced.py says how) is replaced, by whoever it belongs to."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from broker import kafka_admin, kafka_reader, kafka_topic, kafka_usage, kafka_watch
from broker.kafka_client import QUIET, client_config
from broker.kafka_offsets import CommittedOffsets
from broker.kafka_topic import KafkaTopic
from broker.kafka_usage import KafkaUsage
from broker.log import LogUnavailable, NewRecord
from broker.settings import CreateTopic, KafkaSettings
from forebay.units import Duration
from tests.broker.contract import MANY, poll_all, values, wait_for
from tests.broker.kafka_harness import Bereaved, KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")

PARTITIONS = 4


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_topic, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(kafka_admin, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(kafka_reader, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(kafka_usage, "_UNHEARD_SECONDS", 1.0)
    monkeypatch.setattr(kafka_watch, "CLIENT_SECONDS", 1.0)


@pytest.fixture
async def harness(kafka: KafkaBroker, topic_name: str) -> AsyncIterator[KafkaHarness]:
    name = kafka.create_topic(topic_name, PARTITIONS)
    harness = KafkaHarness(settings_of(kafka.bootstrap, name, delivery_timeout=Duration.parse("4s")))
    yield harness
    await harness.close()


def lost(settings: KafkaSettings, **own: str) -> dict[str, Any]:
    """The settings of a client of a place where no broker is."""
    return (
        client_config(settings, "lost", QUIET, on_error=lambda _error: None)
        | own
        | {"bootstrap.servers": "127.0.0.1:1"}
    )


def threads() -> int:
    """Of the process, those of librdkafka among them."""
    return len(list(Path("/proc/self/task").iterdir()))


def test_questions_to_the_cluster(harness: KafkaHarness) -> None:
    topic = KafkaTopic(harness.settings)
    opened = topic.open()
    before = threads()
    for ask in (lambda: topic.confirm(opened), lambda: topic.ends([0, 1]), lambda: topic.ends([0], start=True)):
        topic._admin._client = AdminClient(lost(harness.settings))
        with ThreadPoolExecutor(4) as askers:
            told = [future.exception() for future in [askers.submit(ask) for _ in range(4)]]
        assert all(isinstance(error, LogUnavailable) for error in told)
        ask()
    assert threads() < before + 8, "clients that were replaced have not ended"


async def test_committed_offsets(harness: KafkaHarness) -> None:
    offsets = CommittedOffsets(harness.settings, harness.group_id("group"))

    def answered() -> bool:
        try:
            return offsets.get(0) is None
        except LogUnavailable:
            return False

    await wait_for(answered, 30)  # a broker that is new may have no coordinator yet
    offsets._consumer = Consumer(lost(harness.settings, **{"group.id": harness.group_id("group")}))
    with pytest.raises(LogUnavailable):
        offsets.get(0)
    await wait_for(answered, 5)
    offsets.close()


def test_a_usage_log(harness: KafkaHarness) -> None:
    settings = msgspec.structs.replace(harness.settings, create_topic=CreateTopic(1, 1))
    usage = KafkaUsage(settings, 60_000)

    def hear(expected: bytes) -> None:
        deadline = time.monotonic() + 20
        heard: list[bytes] = []
        while expected not in heard:
            assert time.monotonic() < deadline
            heard += usage.read(0.1)

    usage.publish([b"1"])
    hear(b"1")
    usage._producer = Producer(lost(settings, **{"delivery.timeout.ms": "500"}))
    with pytest.raises(LogUnavailable, match="usage cannot be told"):
        usage.publish([b"2"])
    usage.publish([b"3"])
    hear(b"3")
    usage._consumer = Consumer(lost(settings, **{"group.id": "lost"}))
    usage.publish([b"4"])
    hear(b"4")
    usage.close()


async def test_a_reader(harness: KafkaHarness) -> None:
    writer, reader = await harness.writer(), harness.reader()
    for value in (b"first", b"second"):
        await writer.append([NewRecord(0, b"t", value)])
    assert values(reader.read(0, 0, 1)) == [b"first"]
    (cursor,) = reader._idle
    cursor._ahead.clear()
    cursor._consumer = Consumer(lost(harness.settings, **{"group.id": "lost"}))
    cursor.place = (-1, -1)
    with pytest.raises(LogUnavailable, match="kafka gives no records"):
        await asyncio.to_thread(reader.read, 0, 1, MANY)
    assert values(reader.read(0, 1, MANY)) == [b"second"]


async def test_a_writer(harness: KafkaHarness) -> None:
    writer = await harness.writer()
    await writer.append([NewRecord(0, b"t", b"before")])
    writer._producer = Producer(lost(harness.settings, **{"delivery.timeout.ms": "3600000"}))
    waiting = [asyncio.create_task(writer.append([NewRecord(n % 4, b"t", bytes([n]))])) for n in range(100)]
    async with asyncio.timeout(30):  # and not in an hour
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in told} == {LogUnavailable}
    assert writer.backlog_bytes() == 0
    async with asyncio.timeout(10):
        await writer.append([NewRecord(0, b"t", b"after")])
    reader = harness.reader()
    assert values(reader.read(0, 0, MANY)) == [b"before", b"after"]


@pytest.mark.parametrize("member", ["", "m"])
async def test_a_member_of_a_group(harness: KafkaHarness, member: str) -> None:
    writer = await harness.writer()
    heard: list[tuple[int, ...]] = []

    class Listener(Bereaved):
        def lost(self, partitions: Sequence[int]) -> None:
            heard.append(tuple(partitions))
            self.starts = dict.fromkeys(partitions, 1)

    listener = Listener()
    subscription = harness.subscription("group", listener, member)
    for partition in range(PARTITIONS):
        await writer.append([NewRecord(partition, b"t", b"before")])
    await asyncio.to_thread(poll_all, subscription, PARTITIONS)
    subscription.pause(1)
    old, ask = subscription._consumer, subscription._watch._ask

    def nobody(_seconds: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    subscription._watch._ask = nobody

    def until_lost() -> None:
        while not heard:
            subscription.poll(0.1, MANY)

    async with asyncio.timeout(30):
        await asyncio.to_thread(until_lost)
    subscription._watch._ask = ask
    assert heard == [tuple(range(PARTITIONS))]
    assert subscription._consumer is not old
    for partition in range(PARTITIONS):
        await writer.append([NewRecord(partition, b"t", b"after")])
    again = await asyncio.to_thread(poll_all, subscription, PARTITIONS)
    assert sorted((r.partition, r.value) for r in again) == [(n, b"after") for n in range(PARTITIONS)]
    assert listener.revocations == []
