"""What lies in the topic, read without a line of the product; and what becomes of a group's committed offsets."""

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from tests.peers.process import PeerError


class LogRecord(NamedTuple):
    partition: int
    offset: int
    key: bytes
    value: bytes
    version: bytes
    """As its header has it."""


class Topic:
    """Safe to use from any thread. All of it needs a broker that answers, and waits for one a while.

    Groups are asked by a new admin client each time: one whose connection to a coordinator broke may end this process.
    """

    def __init__(self, bootstrap: str, name: str, partitions: int) -> None:
        self.name = name
        self.partitions = partitions
        self._client: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap,
            "reconnect.backoff.max.ms": 200,
            "log_level": 2,
        }

    def ends(self) -> dict[int, int]:
        """By partition, one behind the newest record."""
        consumer = self._consumer()
        try:
            places = [TopicPartition(self.name, number) for number in range(self.partitions)]
            return {place.partition: consumer.get_watermark_offsets(place, timeout=30)[1] for place in places}
        finally:
            consumer.close()

    def records(self) -> Iterator[LogRecord]:
        """All there are, in order within each partition."""
        left = {number: end for number, end in self.ends().items() if end}
        consumer = self._consumer()
        consumer.assign([TopicPartition(self.name, number, 0) for number in left])
        deadline = time.monotonic() + 120
        try:
            while left:
                if time.monotonic() > deadline:
                    raise PeerError(f"the topic could not be read: left={left}")
                for message in consumer.consume(10_000, timeout=1):
                    record = _record(message)
                    yield record
                    if record.offset + 1 >= left.get(record.partition, 0):
                        left.pop(record.partition, None)
        finally:
            consumer.close()

    def append(self, partition: int, value: bytes) -> None:
        """A record as no gateway writes it."""
        producer = Producer(self._client | {"delivery.timeout.ms": 30_000})
        failures: list[KafkaError] = []
        producer.produce(
            self.name,
            value,
            b"tenant-0",
            partition,
            headers={"forebay-version": b"1"},
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        producer.flush(40)
        if failures:
            raise KafkaException(failures[0])

    def wait_left(self, group: str) -> None:
        """Until the group has no member any more: those that were killed are missed after their session."""

        def left() -> bool:
            admin = AdminClient(self._client)
            described = admin.describe_consumer_groups([group], request_timeout=5)[group].result(10)
            return not described.members

        _until(left, f"group {group} still has members")

    def forget_commits(self, group: str) -> None:
        """Nothing is committed any more. Only for a group without members."""

        def forgotten() -> bool:
            admin = AdminClient(self._client)
            try:
                admin.delete_consumer_groups([group], request_timeout=5)[group].result(10)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise
            return True

        _until(forgotten, f"group {group} could not be deleted")

    def move_commits(self, group: str, chance: random.Random) -> dict[int, int]:
        """Anywhere between start and end, mostly amid a segment. Only for a group without members."""
        return self.commit(group, {number: chance.randint(0, end) for number, end in self.ends().items()})

    def commit(self, group: str, offsets: dict[int, int]) -> dict[int, int]:
        places = [TopicPartition(self.name, number, offset) for number, offset in offsets.items()]

        def moved() -> bool:
            admin = AdminClient(self._client)
            request = [ConsumerGroupTopicPartitions(group, places)]
            done = admin.alter_consumer_group_offsets(request, request_timeout=5)[group].result(10)
            for place in done.topic_partitions or ():
                if place.error:
                    raise KafkaException(place.error)
            return True

        _until(moved, f"offsets of {group} could not be moved")
        return offsets

    def _consumer(self) -> Consumer:
        return Consumer(self._client | {"group.id": "onlooker", "enable.auto.commit": False})  # a group never joined


def _record(message: Message) -> LogRecord:
    error, partition, offset = message.error(), message.partition(), message.offset()
    if error is not None or partition is None or offset is None:
        raise KafkaException(error)
    version = dict(message.headers() or ()).get("forebay-version")
    found = version if isinstance(version, bytes) else b""
    return LogRecord(partition, offset, message.key() or b"", message.value() or b"", found)


def _until(done: Callable[[], bool], message: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
            reason = ""
        except (KafkaException, TimeoutError) as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise PeerError(f"{message}: {reason}")
        time.sleep(0.2)
