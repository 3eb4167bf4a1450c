"""A broker of the test's own that dies, freezes and comes back: nobody who has the log open must do anything."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest

from broker import kafka_topic
from broker.log import LogFull, LogUnavailable, LogWriter, NewRecord, Record
from forebay.units import Duration, Size
from tests.broker.contract import read_all, values, wait_for
from tests.broker.kafka_harness import Bereaved, KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.peer("kafka-4.1")

PARTITIONS = 4
DELIVERY = Duration.parse("2s")


@pytest.fixture(scope="module")
def broker(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(peer("kafka-4.1"), tmp_path_factory.mktemp("kafka-outage") / "broker") as broker:
        yield broker


@pytest.fixture
async def harness(broker: KafkaBroker, topic_name: str) -> AsyncIterator[KafkaHarness]:
    broker.create_topic(topic_name, PARTITIONS)
    settings = settings_of(
        broker.bootstrap, topic_name, delivery_timeout=DELIVERY, queue_bytes=Size.parse("1MiB"), watch_interval=DELIVERY
    )
    harness = KafkaHarness(settings)
    yield harness
    await harness.close()


def request(text: str) -> list[NewRecord]:
    return [NewRecord(partition, b"t", text.encode()) for partition in range(PARTITIONS)]


async def append_until_it_works(writer: LogWriter, records: list[NewRecord]) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(LogUnavailable):
                await writer.append(records)
                return


class Senders:
    """Append for ever; what was acknowledged and what was not is kept. Anything but LogUnavailable ends them."""

    def __init__(self, writer: LogWriter) -> None:
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.slowest = 0.0
        self._writer = writer

    async def run(self, number: int) -> None:
        count = 0
        while True:
            text = f"{number}-{count}"
            count += 1
            self.sent.append(text)
            began = asyncio.get_running_loop().time()
            try:
                await self._writer.append(request(text))
            except LogUnavailable:
                self.refused.append(text)
            else:
                self.acknowledged.append(text)
            self.slowest = max(self.slowest, asyncio.get_running_loop().time() - began)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "stop", "pause"])
async def test_a_broker_that_goes_in_the_middle_of_appends(
    broker: KafkaBroker, harness: KafkaHarness, how: str
) -> None:
    writer = await harness.writer()
    senders = Senders(writer)
    tasks = [asyncio.create_task(senders.run(number)) for number in range(5)]
    await wait_for(lambda: len(senders.acknowledged) > 50, 30)
    await asyncio.to_thread(getattr(broker, how))
    await wait_for(lambda: len(senders.refused) > 5, 30)
    assert writer.problem
    await asyncio.to_thread(broker.resume if how == "pause" else broker.start)
    before = len(senders.acknowledged)
    await wait_for(lambda: len(senders.acknowledged) > before + 50, 60)
    await wait_for(lambda: not writer.problem, 30)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    # Told within the time-out, but for what a crowded machine adds.
    assert senders.slowest < DELIVERY.seconds + 5
    await wait_for(lambda: writer.backlog_bytes() == 0, 30)
    reader = harness.reader()
    for partition in range(PARTITIONS):
        stored = [value.decode() for value in values(read_all(reader, partition))]
        assert len(stored) == len(set(stored))
        assert set(senders.acknowledged) <= set(stored) <= set(senders.sent)


async def test_a_full_queue_refuses_at_once_and_drains(broker: KafkaBroker, harness: KafkaHarness) -> None:
    writer = await harness.writer()
    await writer.append(request("before"))
    broker.pause()
    try:
        waiting = asyncio.create_task(writer.append([NewRecord(0, b"t", bytes(900_000))]))
        await asyncio.sleep(0)
        refused = asyncio.create_task(writer.append([NewRecord(1, b"t", bytes(900_000))]))
        await asyncio.sleep(0)
        assert refused.done()
        assert not waiting.done()
        with pytest.raises(LogFull, match=r"hint: the broker is too slow .*raise broker\.kafka\.queue_bytes"):
            await refused
        assert writer.backlog_bytes() > 900_000
        with pytest.raises(LogUnavailable, match="not confirmed"):
            await waiting
        assert writer.backlog_bytes() == 0
    finally:
        broker.resume()
    await append_until_it_works(writer, request("after"))
    assert values(read_all(harness.reader(), 1)) == [b"before", b"after"]


async def test_a_record_too_large_fails_its_request_alone(harness: KafkaHarness) -> None:
    writer = await harness.writer()
    with pytest.raises(LogUnavailable, match="MSG_SIZE_TOO_LARGE"):
        await writer.append([*request("with it"), NewRecord(0, b"t", bytes(2_000_000)), *request("behind it")])
    assert writer.backlog_bytes() == 0
    await writer.append(request("next"))
    assert values(read_all(harness.reader(), 3))[-1] == b"next"


async def test_one_partition_that_fails_fails_the_whole_request(
    broker: KafkaBroker, harness: KafkaHarness, topic_name: str
) -> None:
    writer = await harness.writer()
    broker.alter_topic(topic_name, max_message_bytes=1000)
    with pytest.raises(LogUnavailable, match=r"MSG_SIZE_TOO_LARGE.*hint: raise max\.message\.bytes of the topic"):
        await writer.append([*request("small"), NewRecord(2, b"t", os.urandom(10_000))])
    broker.alter_topic(topic_name, max_message_bytes=1_000_000)
    await append_until_it_works(writer, request("large again"))
    await writer.append([NewRecord(2, b"t", bytes(10_000))])
    stored = values(read_all(harness.reader(), 1))
    assert stored[0] == b"small"
    assert stored[-1] == b"large again"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "stop", "pause"])
async def test_readers_wait_for_a_broker_and_go_on(
    broker: KafkaBroker, harness: KafkaHarness, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(kafka_topic, "REQUEST_SECONDS", 2.0)
    writer, reader, subscription = await harness.writer(), harness.reader(), harness.subscription("group", Bereaved())
    taken: list[Record] = []
    told: list[str] = []

    def poll(until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not until():
            assert time.monotonic() < deadline, told[-1:]
            try:
                taken.extend(subscription.poll(0.2, 1 << 20))
            except LogUnavailable as error:
                told.append(str(error))

    await writer.append(request("before"))
    await asyncio.to_thread(poll, lambda: len(taken) >= PARTITIONS)
    assert told == []
    await asyncio.to_thread(getattr(broker, how))
    await asyncio.to_thread(poll, lambda: bool(told))
    asks: list[Callable[[], object]] = [
        lambda: reader.read(0, 0, 1000),
        lambda: subscription.end_offset(0),
        lambda: subscription.committed(0),  # by the admin client, this would end the process once the broker goes on
        subscription.confirm,
    ]
    for ask in asks:
        with pytest.raises(LogUnavailable, match="kafka does not answer"):
            await asyncio.to_thread(ask)
    await asyncio.to_thread(broker.resume if how == "pause" else broker.start)
    after = request("after")
    await append_until_it_works(writer, after)
    await asyncio.to_thread(
        poll, lambda: {r.partition for r in taken if r.value == b"after"} == {r.partition for r in after}
    )
    assert subscription.committed(0) is None
    for partition in range(PARTITIONS):
        again = [record for record in taken if record.partition == partition]
        assert sorted({record.offset for record in again}) == list(range(reader.end_offset(partition)))
        assert values(read_all(reader, partition))[0] == b"before"
