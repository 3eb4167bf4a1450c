"""One member of a consumer group of Kafka."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from broker.kafka_ahead import Ahead
from broker.kafka_client import FULL_QUEUE_MS, PASSING, client_config, fetch_max_bytes, log_error, make_client, text
from broker.kafka_offsets import CommittedOffsets
from broker.kafka_record import to_record
from broker.kafka_topic import open_topic, partition_of
from broker.kafka_watch import TopicWatch
from broker.log import Listener, LogUnavailable, Record
from broker.settings import KafkaSettings
from forebay.errors import Fatal

_BATCH = 1000
_MAX_POLL = 300_000
"""How long, in ms, a member may go without a poll: longer than a bucket's time-outs for all its partitions."""

_HEARTBEAT = 500
"""In ms: a member learns with its next heartbeat that the group rebalances, and what moves is read by nobody until
all have."""


class LogTruncated(Fatal):
    """The log ends before what was already read of it."""


class KafkaSubscription:
    """A Subscription. What the listener raises comes out of `poll` or `close`."""

    def __init__(self, settings: KafkaSettings, group: str, listener: Listener, member: str = "") -> None:
        """Blocks. Raises Fatal, LogUnavailable. `member` is the static member id; empty for a dynamic one."""
        self._settings = settings
        self._group = group
        self._member = member
        self._listener = listener
        self._topic, opened = open_topic(settings)
        self._opened = opened
        self._logger = structlog.get_logger(component="log")
        self._incremental = settings.group_protocol == "consumer" or "cooperative" in settings.assignment_strategy
        self._ahead = Ahead(settings.fetch_bytes // 2)
        self._paused: set[int] = set()
        self._forgotten: set[int] = set()
        """Paused ones of which something was fetched and not kept."""
        self._raised: BaseException | None = None
        self._joined = False
        self._closed = False
        self._offsets = CommittedOffsets(settings, group)
        self._consumer = make_client(Consumer, self._config())
        self._watch = TopicWatch(self._topic, opened, settings.watch_interval.seconds, ask=self._ask_for_topic)

    @property
    def log_id(self) -> str:
        return self._opened.log_id

    def poll(self, timeout: float, max_bytes: int) -> list[Record]:
        if self._closed:
            raise LogUnavailable("subscription is closed")
        if self._watch.failure is not None:
            raise self._watch.failure
        if self._watch.client_lost:
            self._replace_consumer()
        if not self._joined:
            self._joined = True
            topics = [self._settings.topic]
            self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            self._fetch(0 if self._ahead.holds_records else left)
            records = self._ahead.take(max_bytes)
            if records or not left:
                return records

    def position(self, partition: int) -> int:
        return self._ahead.position(partition)

    def start_offset(self, partition: int) -> int:
        return self._topic.ends([partition], start=True)[partition]

    def end_offset(self, partition: int) -> int:
        return self.end_offsets([partition])[partition]

    def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        return self._topic.ends(partitions)

    def offset_for_time(self, partition: int, time: int) -> int:
        return self._topic.offset_for_time(partition, time)

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._ahead:
            raise LogUnavailable(f"partition is not assigned partition={partition} group={self._group}")
        self._ahead.restart(partition, offset)
        self._forgotten.discard(partition)
        self._fetch_from(partition, offset)

    def pause(self, partition: int) -> None:
        if partition in self._ahead and partition not in self._paused:
            self._paused.add(partition)
            self._consumer.pause([self._at(partition)])
            if self._ahead.empty(partition):  # or what nobody may have now would take the others' room
                self._forgotten.add(partition)

    def resume(self, partition: int) -> None:
        if partition not in self._paused:
            return
        self._paused.discard(partition)
        if partition in self._ahead:
            if partition in self._forgotten:
                self._forgotten.discard(partition)
                self._fetch_from(partition, self._ahead.position(partition))
            self._consumer.resume([self._at(partition)])

    def commit(self, partition: int, offset: int) -> None:
        try:
            self._consumer.commit(offsets=[self._at(partition, offset)], asynchronous=True)
        except KafkaException as error:
            raise LogUnavailable(f"offset cannot be committed error={text(error.args[0])}") from error

    def committed(self, partition: int) -> int | None:
        # Not the consumer itself: it takes calls from one thread only, and from none while the listener is called.
        return self._offsets.get(partition)

    def confirm(self) -> None:
        # A topic's id never comes back: while it is the same, it was the same all the time.
        self._topic.confirm(self._opened)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watch.close()  # it asks through the consumer
        try:
            self._consumer.close()  # calls _revoked
            if remaining := self._ahead.partitions:
                self._tell(self._listener.revoked, remaining)
        finally:
            self._offsets.close()
        self._raise()

    def _config(self) -> dict[str, Any]:
        settings = self._settings
        own: dict[str, Any] = {
            "group.id": self._group,
            "group.protocol": settings.group_protocol,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",  # where to go on is decided here, and never in silence
            "isolation.level": "read_uncommitted",  # as end offsets are
            "queued.max.messages.kbytes": settings.fetch_bytes >> 10,
            "fetch.max.bytes": fetch_max_bytes(settings.fetch_bytes),
            "fetch.queue.backoff.ms": FULL_QUEUE_MS,
            "fetch.wait.max.ms": 100,
            "on_commit": self._committed,
            # What makes a group share out the partitions of a topic that has grown.
            "topic.metadata.refresh.interval.ms": min(int(settings.watch_interval), 300_000),
            "max.poll.interval.ms": max(_MAX_POLL, int(settings.session_timeout)),
        }
        if settings.group_protocol == "classic":
            own["partition.assignment.strategy"] = settings.assignment_strategy
            own["session.timeout.ms"] = int(settings.session_timeout)
            own["heartbeat.interval.ms"] = max(1, min(_HEARTBEAT, settings.session_timeout // 3))
        if self._member:
            own["group.instance.id"] = self._member
        return client_config(settings, "consumer", own, on_error=self._note)

    def _replace_consumer(self) -> None:
        """It knows no broker any more, and the group has given its partitions to others. A new one joins."""
        self._logger.error("member is made anew", reason="it knows no broker any more", group=self._group)
        partitions = self._ahead.partitions
        self._forget(partitions)
        if partitions:
            self._tell(self._listener.lost, partitions)
        self._consumer.close()
        self._consumer = make_client(Consumer, self._config())
        self._joined = False
        self._watch.client_replaced()
        self._raise()

    def _ask_for_topic(self, seconds: float) -> None:
        self._consumer.list_topics(self._settings.topic, seconds)

    def _fetch(self, timeout: float) -> None:
        """Moves what has come into `_ahead`, as far as there is room; calls the listener."""
        messages = []
        try:
            # One, then whatever else is there: asked for many, the client waits for all of them.
            messages = self._consumer.consume(1, timeout)
            if self._ahead.has_room:
                messages += self._consumer.consume(_BATCH, 0)
        except KafkaException as error:
            raise log_error(error, "polling") from error
        finally:
            self._raise()
        for message in messages:
            trouble = message.error()
            if trouble is not None:
                self._meet(trouble, message.partition())
                continue
            record = to_record(message)
            if not self._ahead.add(record):
                self._misplaced(record)
        if not messages and self._watch.trouble:
            raise LogUnavailable(self._watch.trouble)

    def _meet(self, error: KafkaError, partition: int | None) -> None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None:  # noqa: SLF001 - its name is so
            self._out_of_range(partition)
        elif error.code() in PASSING or error.retriable():
            self._logger.warning("kafka client has trouble", error=text(error))
            self._watch.look()
        else:
            raise log_error(error, "polling")

    def _out_of_range(self, partition: int) -> None:
        """Retention has overtaken the position, or the log was cut behind it."""
        if partition not in self._ahead:
            return
        position = self._ahead.next_offset(partition)
        start, end = self.start_offset(partition), self.end_offset(partition)
        if position > end:
            raise LogTruncated(
                f"log ends before what was read of it partition={partition} position={position} end_offset={end}",
                hint="the topic lost acknowledged records (an unclean leader election?) or was made again: see the "
                "brokers, then start this consumer again",
            )
        if position < start:
            self._logger.error(
                "log has lost records before they were read", partition=partition, position=position, start_offset=start
            )
        self._fetch_from(partition, max(position, start))

    def _misplaced(self, record: Record) -> None:
        """Not the next offset: a hole is only believed where retention has made it, or at second sight."""
        position = self._ahead.next_offset(record.partition)
        if record.offset < position:
            return  # of before a seek
        if self.start_offset(record.partition) >= record.offset or self._ahead.is_suspect(record):
            self._logger.error("log has a hole", partition=record.partition, position=position, next=record.offset)
            self._ahead.accept(record)
            return
        self._ahead.suspect(record)
        self._fetch_from(record.partition, position)

    def _fetch_from(self, partition: int, offset: int) -> None:
        at = self._at(partition, offset)
        try:
            self._consumer.seek(at)
        except KafkaException:  # it has not begun to fetch this one yet
            if not self._incremental:
                others = [self._at(other, self._ahead.next_offset(other)) for other in self._ahead.partitions]
                self._consumer.assign([at if other.partition == partition else other for other in others])
            else:
                self._consumer.incremental_unassign([self._at(partition)])
                self._consumer.incremental_assign([at])
            if paused := [self._at(other) for other in self._paused]:
                self._consumer.pause(paused)

    def _assigned(self, _consumer: Consumer, given: list[TopicPartition]) -> None:
        if not self._closed:  # else it is given up at once
            self._tell(self._begin, sorted(at.partition for at in given))

    def _begin(self, partitions: Sequence[int]) -> None:
        with contextlib.suppress(LogUnavailable):  # the watch asks again
            self.confirm()  # a topic that is made again is assigned again, as if it were the old one
        starts = self._listener.assigned(partitions) if partitions else {}
        for partition, offset in starts.items():
            self._ahead.restart(partition, offset)
        self._paused.difference_update(partitions)
        self._forgotten.difference_update(partitions)
        begun = [self._at(partition, offset) for partition, offset in starts.items()]
        if self._incremental:
            self._consumer.incremental_assign(begun)
        else:
            self._consumer.assign(begun)
        self._consumer.resume(begun)  # a pause of an earlier assignment outlives it in librdkafka

    def _revoked(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._end(self._listener.revoked, taken)

    def _lost(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._end(self._listener.lost, taken)

    def _end(self, tell: Callable[[Sequence[int]], None], taken: list[TopicPartition]) -> None:
        partitions = sorted(at.partition for at in taken if at.partition in self._ahead)
        self._forget(partitions)
        if partitions:
            self._tell(tell, partitions)  # the client takes them off its own assignment after this

    def _forget(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._ahead.drop(partition)
        self._paused.difference_update(partitions)
        self._forgotten.difference_update(partitions)

    def _tell(self, tell: Callable[[Sequence[int]], None], partitions: Sequence[int]) -> None:
        try:
            tell(partitions)
        except BaseException as error:  # noqa: BLE001 - it goes on from poll or close: see _raise
            self._raised = self._raised or error

    def _committed(self, error: KafkaError | None, _partitions: list[TopicPartition]) -> None:
        if error is not None:  # advisory: the next segment's commit says it too
            self._logger.warning("offset is not committed", group=self._group, error=text(error))

    def _note(self, error: KafkaError) -> None:
        """Of the whole client; called from within consume."""
        self._logger.debug("kafka client has trouble", error=text(error))
        self._watch.look()

    def _at(self, partition: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return partition_of(self._settings, partition, offset)

    def _raise(self) -> None:
        """What the listener raised, which may not pass through the client's own code."""
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
