"""The topic: that it is there and fit for us, and whether it is still the one that was opened."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog
from confluent_kafka import (
    OFFSET_INVALID,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
    Uuid,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    ListOffsetsResultInfo,
    MemberDescription,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from broker.kafka_admin import KafkaAdmin
from broker.kafka_client import REQUEST_SECONDS, log_error, text
from broker.log import GroupMember, LogUnavailable
from broker.settings import KafkaSettings
from forebay.errors import Fatal

if TYPE_CHECKING:
    from concurrent.futures import Future

LARGEST_MESSAGE = 1_000_000
"""What a topic must take: a record of 900 KiB, its key and headers, and the batch around it. A broker's default is a
little more."""
_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID})
_UNSETTLED = _ABSENT | {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # noqa: SLF001 - its name is so; the client knows of no leader yet, or any more
}
_NO_COORDINATOR = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
)
_UNSETTLED_SECONDS = 0.1
_WANTED = {
    "message.timestamp.type": "LogAppendTime",
    "cleanup.policy": "delete",
}
_URL_SAFE = str.maketrans("+/", "-_", "=")
Answer = TypeVar("Answer")


def log_id_of(topic_id: Uuid) -> str:
    """The topic's UUID as Kafka writes it, which may be part of an object's key: librdkafka's own has `/` and `+`."""
    return str(topic_id).translate(_URL_SAFE)


class TopicRecreated(Fatal):
    """There is another topic under the name now: offsets mean something else."""


class Topic(NamedTuple):
    """What identifies a topic, and its size."""

    log_id: str
    """Kafka's topic UUID, as its own tools write it."""
    partitions: int


class KafkaTopic:
    """Asks the cluster about one topic. Thread-safe; every method blocks and raises LogUnavailable, Fatal."""

    def __init__(self, settings: KafkaSettings, *, retention_ms: int | None = None) -> None:
        """`retention_ms` is of a topic that is made; None leaves it to the broker."""
        self._settings = settings
        self._config = dict(_WANTED)
        if retention_ms is not None:
            # What is over goes when its file does, and a file is closed after a quarter of the time.
            self._config |= {"retention.ms": str(retention_ms), "segment.ms": str(max(60_000, retention_ms // 4))}
        self._name = settings.topic
        self._admin = KafkaAdmin(settings)

    def open(self) -> Topic:
        """The topic, made where it is missing and `create_topic` says so. Raises Fatal where it is not fit."""
        return self._at_start(self._make_fit)

    def find(self) -> Topic:
        """As `open`, for those who only look: raises LogUnavailable where there is no topic yet."""
        return self._at_start(self._must_be_there)

    def _at_start(self, attempt: Callable[[], Topic]) -> Topic:
        try:
            return attempt()
        except LogUnavailable as error:
            # At a start, what no waiting mends is a mistake in the settings; later it may be the brokers' own trouble.
            trouble = self._admin.trouble
            if trouble is not None and isinstance(refused := log_error(trouble, "connecting"), Fatal):
                raise refused from error
            raise

    def _must_be_there(self) -> Topic:
        topic = self.describe()
        if topic is None:
            raise LogUnavailable(
                f"there is no log yet topic={self._name} bootstrap_servers={self._settings.bootstrap_servers}",
                hint="see broker.kafka.topic; a gateway or consumer makes it where broker.kafka.create_topic says so",
            )
        self._check()
        return topic

    def _make_fit(self) -> Topic:
        topic = self.describe()
        if topic is None:
            self._create()
            topic = self._describe_made()
        self._check()
        wanted = self._settings.create_topic
        if wanted is not None and topic.partitions < wanted.partitions:
            structlog.get_logger(component="log").warning(
                "topic has fewer partitions than broker.kafka.create_topic says; it is left as it is",
                topic=self._name,
                partitions=topic.partitions,
                wanted=wanted.partitions,
            )
        return topic

    def _describe_made(self) -> Topic:
        """A topic is made by the controller; the broker that is asked next may not have heard of it yet."""
        deadline = time.monotonic() + REQUEST_SECONDS
        while (topic := self.describe()) is None:
            if time.monotonic() > deadline:
                raise LogUnavailable(f"topic was just made and is not known yet topic={self._name}")
            time.sleep(_UNSETTLED_SECONDS)
        return topic

    def describe(self) -> Topic | None:
        """None where there is no such topic."""
        doing = "describing the topic"
        try:
            found = self._admin.ask(
                lambda admin: admin.describe_topics(TopicCollection([self._name]), request_timeout=REQUEST_SECONDS),
                doing,
            )[self._name]
        except KafkaException as error:
            if error.args[0].code() in _ABSENT:
                return None
            raise self._admin.failed(error, doing) from error
        return Topic(log_id_of(found.topic_id), len(found.partitions))

    def confirm(self, opened: Topic) -> Topic:
        """The topic as it is now, while it is the one that was opened; raises TopicRecreated."""
        now = self.describe()
        if now is None:
            raise LogUnavailable(
                f"topic is not there any more topic={self._name}", hint="a new one has a new id and a new chain"
            )
        if now.log_id != opened.log_id:
            raise TopicRecreated(
                f"topic was deleted and made again topic={self._name} opened={opened.log_id} found={now.log_id}",
                hint="start this process again: the new topic has a chain of manifests of its own",
            )
        return now

    def ends(self, partitions: Sequence[int], *, start: bool = False) -> dict[int, int]:
        """One behind the newest record of each, in one request to each broker; with `start`, the oldest offset."""
        if not partitions:
            return {}
        doing = "asking for the log's ends"
        found = self._list(partitions, OffsetSpec.earliest() if start else OffsetSpec.latest(), doing)
        ends = {partition: at.offset for partition, at in found.items()}
        if min(ends.values()) < 0:
            # What a broker did not answer in time comes as an offset that is none, and without an error.
            self._admin.renew()
            raise LogUnavailable(f"kafka does not answer while={doing}")
        return ends

    def offset_for_time(self, partition: int, time: int) -> int:
        """As of a LogReader."""
        doing = "asking for an offset by time"
        offset: int = self._list([partition], OffsetSpec.for_timestamp(time), doing)[partition].offset
        if offset >= 0:
            return offset
        # None is appended so late; or the broker did not answer, as above. Which one, the newest time tells.
        newest = self._list([partition], OffsetSpec.max_timestamp(), doing)[partition]
        end = self.ends([partition])[partition]
        known = newest.timestamp < time if newest.offset >= 0 else end == self.ends([partition], start=True)[partition]
        if not known:
            self._admin.renew()
            raise LogUnavailable(f"kafka does not answer while={doing}")
        return end

    def _list(self, partitions: Sequence[int], spec: OffsetSpec, doing: str) -> dict[int, ListOffsetsResultInfo]:
        asked = {TopicPartition(self._name, partition): spec for partition in partitions}
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                self._admin.prepare(self._name)
                answers = self._admin.ask(
                    lambda admin: admin.list_offsets(asked, request_timeout=REQUEST_SECONDS), doing
                )
            except KafkaException as error:
                # A partition that was just made, or has just moved, or whose broker was started again.
                if error.args[0].code() not in _UNSETTLED:
                    raise self._admin.failed(error, doing) from error
                if time.monotonic() > deadline:
                    self._admin.renew()
                    raise self._admin.failed(error, doing) from error
                self._admin.learn(self._name)
            else:
                return {at.partition: answer for at, answer in answers.items()}
            time.sleep(_UNSETTLED_SECONDS)

    def all_committed(self, group: str) -> dict[int, int]:
        """By partition; no entry where the group has not committed. For commands, not for roles: `_ask_group`."""
        found = self._ask_group(
            lambda admin: admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group)], request_timeout=REQUEST_SECONDS
            ),
            "asking for committed offsets",
        )
        given = found.topic_partitions if found else []
        return {at.partition: at.offset for at in given if at.topic == self._name and at.offset >= 0}

    def members(self, group: str) -> tuple[GroupMember, ...]:
        """Of the group, with the partitions of this topic that they have. Not for roles: `_ask_group`."""
        found = self._ask_group(
            lambda admin: admin.describe_consumer_groups([group], request_timeout=REQUEST_SECONDS),
            "describing the group",
        )
        return tuple(self._member(member) for member in found.members) if found else ()

    def _ask_group(self, request: "Callable[[AdminClient], dict[str, Future[Answer]]]", doing: str) -> Answer | None:
        """None where there is no such group.

        Ends the process where the coordinator's connection breaks under the request (librdkafka issue 4605). So no role
        may ask; it has `CommittedOffsets`.
        """
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                (found,) = self._admin.ask(request, doing).values()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                    return None
                # A coordinator that is just being made or has moved: the client learns of it by asking.
                if error.args[0].code() not in _NO_COORDINATOR or time.monotonic() > deadline:
                    raise self._admin.failed(error, doing) from error
            else:
                return found
            time.sleep(_UNSETTLED_SECONDS)

    def _member(self, member: MemberDescription) -> GroupMember:
        # A dynamic member's client id is every other's too: the end of its member id tells them apart.
        name = member.group_instance_id or f"{member.client_id}-{member.member_id[-6:]}"
        given = member.assignment.topic_partitions if member.assignment else []
        partitions = tuple(sorted(at.partition for at in given if at.topic == self._name))
        return GroupMember(f"{name}@{member.host.lstrip('/')}", partitions)

    def _create(self) -> None:
        wanted = self._settings.create_topic
        if wanted is None:
            raise Fatal(
                f"there is no such topic topic={self._name} bootstrap_servers={self._settings.bootstrap_servers}",
                hint="create it with message.timestamp.type=LogAppendTime, or set broker.kafka.create_topic: "
                "{partitions: 64, replication_factor: 3}",
            )
        new = NewTopic(self._name, wanted.partitions, wanted.replication_factor, config=self._config)
        try:
            self._admin.ask(lambda admin: admin.create_topics([new]), "creating the topic")
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.TOPIC_ALREADY_EXISTS:
                return  # another process was first
            if code in {KafkaError.INVALID_REPLICATION_FACTOR, KafkaError.INVALID_PARTITIONS}:
                raise Fatal(
                    f"topic cannot be made topic={self._name} error={text(error.args[0])}",
                    hint="set broker.kafka.create_topic.replication_factor to at most the number of brokers",
                ) from error
            raise self._admin.failed(error, "creating the topic") from error
        structlog.get_logger(component="log").info(
            "topic created",
            topic=self._name,
            partitions=wanted.partitions,
            replication_factor=wanted.replication_factor,
        )

    def _check(self) -> None:
        resource = ConfigResource(ResourceType.TOPIC, self._name)
        doing = "reading the topic's settings"
        try:
            found = self._admin.ask(
                lambda admin: admin.describe_configs([resource], request_timeout=REQUEST_SECONDS), doing
            )[resource]
        except KafkaException as error:
            raise self._admin.failed(error, doing) from error
        for name, wanted in _WANTED.items():
            if found[name].value != wanted:
                raise Fatal(
                    f"topic has the wrong setting topic={self._name} {name}={found[name].value} needed={wanted}",
                    hint=f"kafka-configs.sh --alter --entity-type topics --entity-name {self._name} "
                    f"--add-config {name}={wanted}",
                )
        if int(found["max.message.bytes"].value) < LARGEST_MESSAGE:
            raise Fatal(
                f"topic takes too small messages topic={self._name} max.message.bytes="
                f"{found['max.message.bytes'].value} needed={LARGEST_MESSAGE}",
                hint=f"kafka-configs.sh --alter --entity-type topics --entity-name {self._name} "
                f"--add-config max.message.bytes={LARGEST_MESSAGE}",
            )


def open_topic(settings: KafkaSettings) -> tuple[KafkaTopic, Topic]:
    """As `KafkaTopic.open`."""
    topic = KafkaTopic(settings)
    return topic, topic.open()


def partition_of(settings: KafkaSettings, partition: int, offset: int = OFFSET_INVALID) -> TopicPartition:
    """What librdkafka calls a place in the log."""
    return TopicPartition(settings.topic, partition, offset)
