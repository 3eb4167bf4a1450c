"""Kafka's reader: by partition and offset, without a group."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException

from broker.kafka_client import (
    FULL_QUEUE_MS,
    PASSING,
    QUIET,
    REQUEST_SECONDS,
    client_config,
    fetch_max_bytes,
    log_error,
    make_client,
)
from broker.kafka_record import to_record
from broker.kafka_topic import KafkaTopic, partition_of
from broker.log import LogUnavailable, Record
from broker.settings import KafkaSettings

_BATCH = 500
_FETCH_BYTES = 16 << 20


class KafkaReader:
    """A LogReader. Keeps a client for each place that is being read on from, up to as many as threads read at once."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Blocks. Raises Fatal, LogUnavailable."""
        self._settings = settings
        self._topic = KafkaTopic(settings)
        self._opened = self._topic.find()
        self._mutex = threading.Lock()
        self._idle: list[_Cursor] = []
        self._ends: dict[int, int] = {}
        """By partition, when it was last asked for: up to there are records."""
        self._closed = False

    @property
    def log_id(self) -> str:
        return self._opened.log_id

    @property
    def partitions(self) -> int:
        """Asked for every time: some may have been added. Raises LogUnavailable, Fatal."""
        return self._topic.confirm(self._opened).partitions

    def start_offset(self, partition: int) -> int:
        return self._topic.ends([partition], start=True)[partition]

    def end_offset(self, partition: int) -> int:
        return self._topic.ends([partition])[partition]

    def offset_for_time(self, partition: int, time: int) -> int:
        return self._topic.offset_for_time(partition, time)

    def read(self, partition: int, offset: int, max_bytes: int) -> list[Record]:
        try:
            return self._read(partition, offset, max_bytes)
        except _Removed:
            return self._read(partition, max(offset, self.start_offset(partition)), max_bytes)

    def _read(self, partition: int, offset: int, max_bytes: int) -> list[Record]:
        end = self._ends.get(partition, 0)
        if offset >= end:
            end = self._ends[partition] = self.end_offset(partition)
        if offset >= end:
            return []
        try:
            with self._cursor(partition, offset) as cursor:
                return cursor.read(end, max_bytes)
        except LogUnavailable:
            self._ends.pop(partition, None)
            self.confirm()  # of another topic there may be nothing to read here for ever
            raise

    def confirm(self) -> None:
        # A topic's id never comes back: while it is the same, it was the same all the time.
        self._topic.confirm(self._opened)

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            idle, self._idle = self._idle, []
        for cursor in idle:
            cursor.close()

    @contextmanager
    def _cursor(self, partition: int, offset: int) -> Iterator["_Cursor"]:
        """One that stands there already, else any that is idle, else a new one."""
        with self._mutex:
            if self._closed:
                raise LogUnavailable("log reader is closed")
            there = next((at for at, idle in enumerate(self._idle) if idle.place == (partition, offset)), -1)
            found = [self._idle.pop(there)] if self._idle else []
        cursor = found[0] if found else _Cursor(self._settings)
        try:
            cursor.stand_at(partition, offset)
            yield cursor
        except BaseException:
            cursor.close()
            raise
        self._return(cursor)

    def _return(self, cursor: "_Cursor") -> None:
        with self._mutex:
            if not self._closed:
                self._idle.append(cursor)
                return
        cursor.close()


class _Removed(LogUnavailable):
    """Retention has overtaken the place."""


class _Cursor:
    """A client that reads one partition on from one place. One thread at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.place = (-1, -1)
        """Partition, and offset of the next record."""
        self._settings = settings
        self._ahead: deque[Record] = deque()
        own = QUIET | {
            "group.id": "forebay-reader",  # librdkafka wants one; nothing joins or commits
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted",  # as end offsets are
            "queued.max.messages.kbytes": _FETCH_BYTES >> 10,
            "fetch.max.bytes": fetch_max_bytes(_FETCH_BYTES),
            "fetch.queue.backoff.ms": FULL_QUEUE_MS,
            "fetch.wait.max.ms": 10,
        }
        config = client_config(settings, "reader", own, on_error=lambda _error: None)
        self._consumer = make_client(Consumer, config)

    def stand_at(self, partition: int, offset: int) -> None:
        if self.place == (partition, offset):
            return
        self._ahead.clear()
        self._consumer.assign([partition_of(self._settings, partition, offset)])
        self.place = (partition, offset)

    def read(self, end: int, max_bytes: int) -> list[Record]:
        """Records before `end`, at least one. Raises LogUnavailable."""
        records: list[Record] = []
        room = max_bytes
        deadline = time.monotonic() + REQUEST_SECONDS
        while self.place[1] < end:
            if not self._ahead and (not self._fetch(wait=not records) and records):
                break
            if not self._ahead:
                if time.monotonic() > deadline:
                    raise LogUnavailable(f"kafka gives no records partition={self.place[0]} offset={self.place[1]}")
                continue
            record = self._ahead[0]
            if records and len(record.value) > room:
                break
            records.append(self._ahead.popleft())
            room -= len(record.value)
            self.place = (record.partition, record.offset + 1)
        return records

    def close(self) -> None:
        self._consumer.close()

    def _fetch(self, *, wait: bool) -> bool:
        """Whether something came."""
        try:
            first = self._consumer.consume(1, 0.5) if wait else []
            messages = first + self._consumer.consume(_BATCH, 0)
        except KafkaException as error:
            raise log_error(error, "reading") from error
        for message in messages:
            trouble = message.error()
            if trouble is None:
                self._ahead.append(to_record(message))
            elif trouble.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its name is so
                raise _Removed(f"records were removed while they were read partition={self.place[0]}")
            elif not trouble.retriable() and trouble.code() not in PASSING:
                raise log_error(trouble, "reading")
        return bool(messages)
