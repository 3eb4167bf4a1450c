"""The usage log on Kafka: a topic of one partition beside the log's own, which keeps messages for a short time only."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from broker.kafka_client import PASSING, QUIET, REQUEST_SECONDS, client_config, log_error, make_client, text
from broker.kafka_topic import KafkaTopic
from broker.log import LogUnavailable
from broker.settings import CreateTopic, KafkaSettings

SUFFIX: Final = "-usage"
_BATCH = 500
_PUBLISH_SECONDS = 5.0
_UNHEARD_SECONDS = 10.0
"""How long what was told may take to come back, before the client that reads is taken for one that knows no broker any
more: see KafkaAdmin."""


class KafkaUsage:
    """A UsageLog."""

    def __init__(self, settings: KafkaSettings, back_ms: int) -> None:
        """Reading begins `back_ms` before now. Blocks. Raises Fatal, LogUnavailable."""
        create = settings.create_topic and CreateTopic(1, settings.create_topic.replication_factor)
        settings = msgspec.structs.replace(settings, topic=settings.topic + SUFFIX, create_topic=create)
        self._name = settings.topic
        KafkaTopic(settings, retention_ms=2 * back_ms).open()
        self._writes = client_config(
            settings,
            "usage",
            QUIET | {"acks": "all", "linger.ms": 0, "delivery.timeout.ms": int(_PUBLISH_SECONDS * 1000)},
            on_error=_ignore,
        )
        self._producer = make_client(Producer, self._writes)
        own = QUIET | {
            "group.id": "forebay-usage",  # librdkafka wants one; nothing joins or commits
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        }
        self._reads = client_config(settings, "usage", own, on_error=_ignore)
        self._consumer = make_client(Consumer, self._reads)
        self._told = 0.0
        """When something was told of which nothing has come back yet; 0 where all has."""
        self._next = self._offset_of(int(time.time() * 1000) - back_ms)
        self._consumer.assign([TopicPartition(self._name, 0, self._next)])

    def publish(self, messages: Sequence[bytes]) -> None:
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                failed.append(error)

        try:
            for message in messages:
                self._producer.produce(self._name, message, partition=0, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise LogUnavailable(f"usage cannot be told topic={self._name} error={error}") from error
        finally:
            left = self._producer.flush(_PUBLISH_SECONDS + 1)
        if failed or left:
            why = text(failed[0]) if failed else "not confirmed in time"
            self._producer = make_client(Producer, self._writes)
            raise LogUnavailable(f"usage cannot be told topic={self._name} error={why}")
        self._told = self._told or time.monotonic()

    def read(self, timeout: float) -> list[bytes]:
        try:
            found = self._consumer.consume(1, timeout)
            found += self._consumer.consume(_BATCH, 0) if found else []
        except KafkaException as error:
            raise log_error(error, "reading usage") from error
        values = []
        for message in found:
            trouble = message.error()
            if trouble is None:
                values.append(message.value() or b"")
                self._next = (message.offset() or 0) + 1
            elif not trouble.retriable() and trouble.code() not in PASSING:
                raise log_error(trouble, "reading usage")
        if values:
            self._told = 0.0
        elif self._told and time.monotonic() - self._told > _UNHEARD_SECONDS:
            self._replace_consumer()
        return values

    def catch_up(self, timeout: float) -> list[bytes]:
        deadline = time.monotonic() + timeout
        _, end = self._watermarks()
        values: list[bytes] = []
        while self._next < end and time.monotonic() < deadline:
            values += self.read(0.2)
        return values

    def close(self) -> None:
        self._consumer.close()
        self._producer.flush(_PUBLISH_SECONDS)

    def _replace_consumer(self) -> None:
        """Goes on where it was."""
        self._consumer.close()
        self._consumer = make_client(Consumer, self._reads)
        self._consumer.assign([TopicPartition(self._name, 0, self._next)])
        self._told = 0.0

    def _offset_of(self, time_ms: int) -> int:
        """Of the first message since then."""
        try:
            (found,) = self._consumer.offsets_for_times([TopicPartition(self._name, 0, time_ms)], REQUEST_SECONDS)
        except KafkaException as error:
            raise log_error(error, "looking for the usage of late") from error
        return found.offset if found.offset >= 0 else self._watermarks()[1]

    def _watermarks(self) -> tuple[int, int]:
        try:
            found = self._consumer.get_watermark_offsets(TopicPartition(self._name, 0), REQUEST_SECONDS)
        except KafkaException as error:
            raise log_error(error, "asking for the end of usage") from error
        if found is None:
            raise LogUnavailable(f"kafka does not answer topic={self._name}")
        return found


def _ignore(_error: KafkaError) -> None:
    """Calls tell of their own failures."""
