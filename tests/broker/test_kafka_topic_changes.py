"""The topic under a log that is open: made again, deleted, grown."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from broker.kafka_group import KafkaSubscription
from broker.kafka_topic import TopicRecreated
from broker.log import LogUnavailable, NewRecord
from forebay.errors import Fatal
from forebay.units import Duration
from tests.broker.contract import Recorder, poll_all, values, wait_for
from tests.broker.kafka_harness import Bereaved, KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")

NEVER = Duration.parse("1h")


@pytest.fixture
async def unwatched(kafka: KafkaBroker, topic_name: str) -> AsyncIterator[KafkaHarness]:
    """Nobody looks whether the topic is still the same, as in the moment before the next look."""
    kafka.create_topic(topic_name, 1)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name, watch_interval=NEVER))
    yield harness
    await harness.close()


@pytest.fixture
async def watched(kafka: KafkaBroker, topic_name: str) -> AsyncIterator[KafkaHarness]:
    kafka.create_topic(topic_name, 2)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name, watch_interval=Duration.parse("200ms")))
    yield harness
    await harness.close()


async def fill(harness: KafkaHarness, prefix: str, records: int) -> None:
    writer = await harness.writer()
    await writer.append([NewRecord(0, b"t", f"{prefix}{number}".encode()) for number in range(records)])


async def test_records_of_a_topic_made_again_are_never_confirmed(
    kafka: KafkaBroker, topic_name: str, unwatched: KafkaHarness
) -> None:
    await fill(unwatched, "old", 5)
    subscription, reader = unwatched.subscription("group", Bereaved()), unwatched.reader()
    assert values(poll_all(subscription, 5)) == values(reader.read(0, 0, 1000)) == [b"old%d" % n for n in range(5)]
    subscription.confirm()
    reader.confirm()
    kafka.delete_topic(topic_name)
    kafka.create_topic(topic_name, 1)
    await fill(unwatched, "new", 10)
    # Whoever reads by name may read on in the new topic and not notice, which is what `confirm` is for; or may not.
    with contextlib.suppress(LogUnavailable, TopicRecreated):
        subscription.poll(0.2, 1000)
    with contextlib.suppress(LogUnavailable, TopicRecreated):
        reader.read(0, 5, 1000)
    for confirm in (subscription.confirm, reader.confirm):
        with pytest.raises(TopicRecreated, match=f"made again topic={topic_name} .*hint: start this process again"):
            confirm()


async def test_a_topic_made_again_is_noticed_by_all_who_had_it_open(
    kafka: KafkaBroker, topic_name: str, watched: KafkaHarness
) -> None:
    writer, subscription = await watched.writer(), watched.subscription("group", Bereaved())
    await writer.append([NewRecord(0, b"t", b"old")] * 3)
    poll_all(subscription, 3)
    before = writer.log_id
    kafka.delete_topic(topic_name)
    await wait_for(lambda: "not there any more" in writer.problem, 30)
    with pytest.raises(LogUnavailable, match="not there any more"):
        subscription.confirm()
    kafka.create_topic(topic_name, 2)
    await wait_for(lambda: "made again" in writer.problem, 30)
    with pytest.raises(TopicRecreated):
        await writer.append([NewRecord(0, b"t", b"new")])
    with pytest.raises(Fatal, match="made again"):  # noqa: PT012 - which one is open
        while True:
            poll_quietly(subscription)
    assert (await watched.writer()).log_id == kafka.topic_id(topic_name) != before


def poll_quietly(subscription: KafkaSubscription) -> None:
    with contextlib.suppress(LogUnavailable):
        subscription.poll(0.1, 1000)


async def test_a_topic_made_again_while_all_was_down_is_another_log(
    kafka: KafkaBroker, topic_name: str, watched: KafkaHarness
) -> None:
    first = await watched.writer()
    await first.append([NewRecord(0, b"t", b"old")] * 3)
    subscription = watched.subscription("group", Recorder())
    poll_all(subscription, 3)
    subscription.commit(0, 3)
    await wait_for(lambda: subscription.committed(0) == 3)
    subscription.close()
    await first.close()
    kafka.delete_topic(topic_name)
    kafka.create_topic(topic_name, 2)
    second, again = await watched.writer(), watched.subscription("group", Recorder())
    assert second.log_id == again.log_id != first.log_id
    assert again.committed(0) is None
    await second.append([NewRecord(0, b"t", b"new")])
    assert values(poll_all(again, 1)) == [b"new"]


async def test_a_topic_that_grows_is_followed(kafka: KafkaBroker, topic_name: str, watched: KafkaHarness) -> None:
    listener = Recorder()
    writer, reader, subscription = await watched.writer(), watched.reader(), watched.subscription("group", listener)
    await writer.append([NewRecord(1, b"t", b"before")])
    assert values(poll_all(subscription, 1)) == [b"before"]
    kafka.add_partitions(topic_name, 5)
    await wait_for(lambda: writer.partitions == 5, 30)
    await writer.append([NewRecord(partition, b"t", b"after") for partition in range(5)])
    assert values(poll_all(subscription, 5)) == [b"after"] * 5
    assert sorted(partition for told in listener.assignments for partition in told) == [0, 1, 2, 3, 4]
    assert listener.revocations == []
    assert reader.partitions == 5
    assert values(reader.read(4, 0, 1000)) == [b"after"]
    assert writer.problem == ""
