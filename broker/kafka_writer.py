"""Kafka's writer: an idempotent producer, one thread that hears of deliveries, one wake-up of the event loop a time.

append() --> Producer.produce per record --> librdkafka --> broker
poll thread: delivery per record --> countdown per request --> whole requests --> event loop
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence

import structlog
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from broker.kafka_client import REQUEST_SECONDS, client_config, make_client, text
from broker.kafka_topic import open_topic
from broker.kafka_watch import TopicWatch
from broker.log import Appended, LogFull, LogUnavailable, NewRecord
from broker.settings import KafkaSettings
from forebay.errors import InvalidData

_RECORD_BYTES = 64
"""What a record costs in the queue besides its bytes, so that empty ones are bounded too."""
_NOWHERE = Appended(-1, -1)
_POLL_SECONDS = 0.2
_QUEUE_SLACK = 256 << 20
"""How much more than `queue_bytes` librdkafka may hold: one request of any size, and its own overhead."""
_TROUBLE_SECONDS = 5.0
"""How long a failed delivery is a problem: a gateway that is not ready gets no request that could succeed."""


class _Request:
    """Counts deliveries down, on the poll thread."""

    __slots__ = ("appended", "done", "error", "left", "size")

    def __init__(self, left: int, size: int, done: "asyncio.Future[list[Appended]]") -> None:
        self.left = left
        self.appended = [_NOWHERE] * left
        self.size = size
        self.done = done
        self.error: KafkaError | None = None

    def delivered(self, records: int, error: KafkaError | None) -> bool:
        """Whether that were the last of it."""
        self.left -= records
        self.error = self.error or error
        return not self.left


class KafkaWriter:
    """A LogWriter. All requests come from one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Blocks while it finds, checks or makes the topic. Raises Fatal, LogUnavailable."""
        self._settings = settings
        admin, opened = open_topic(settings)
        self._log_id = opened.log_id
        self._partitions = opened.partitions
        self._backlog = 0  # touched on the event loop only
        self._finished: list[_Request] = []  # touched on the poll thread only
        self._not_taken: deque[tuple[_Request, int, KafkaError]] = deque()
        self._trouble = ""
        self._trouble_ends = 0.0
        self._broken = False
        self._producing = threading.Lock()
        self._closing = threading.Event()
        self._logger = structlog.get_logger(component="log")
        self._producer = self._new_producer()
        self._watch = TopicWatch(
            admin, opened, settings.watch_interval.seconds, ask=self._ask_for_topic, grown=self._grow
        )
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def log_id(self) -> str:
        return self._log_id

    @property
    def partitions(self) -> int:
        return self._partitions

    def backlog_bytes(self) -> int:
        return self._backlog

    @property
    def problem(self) -> str:
        if self._watch.failure is not None:
            return str(self._watch.failure)
        return self._watch.trouble or (self._trouble if time.monotonic() < self._trouble_ends else "")

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if self._watch.failure is not None:
            raise self._watch.failure
        if self._closing.is_set():
            raise LogUnavailable("log writer is closed")
        for record in records:
            if not 0 <= record.partition < self._partitions:
                raise InvalidData(f"no such partition partition={record.partition} partitions={self._partitions}")
        if not records:
            return []
        size = sum(len(record.value) + len(record.key) + _RECORD_BYTES for record in records)
        # A request larger than the whole queue would never get in, so an empty queue takes any.
        if self._backlog and self._backlog + size > self._settings.queue_bytes:
            raise LogFull(
                f"too many bytes wait for the log waiting={self._backlog} request={size} "
                f"bound={self._settings.queue_bytes}",
                hint="the broker is too slow for this load; raise broker.kafka.queue_bytes for bursts",
            )
        request = _Request(len(records), size, asyncio.get_running_loop().create_future())
        self._backlog += size
        with self._producing:
            self._produce(records, request)
        return await request.done

    async def close(self) -> None:
        self._closing.set()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._watch.close)

    def _produce(self, records: Sequence[NewRecord], request: _Request) -> None:
        """Hands all to librdkafka; where it takes only some, the request fails once those are known."""
        producer = self._producer
        for at, record in enumerate(records):

            def delivered(error: KafkaError | None, message: Message, at: int = at) -> None:
                if error is None:
                    request.appended[at] = _place_of(message)
                self._delivered(request, 1, error)

            try:
                producer.produce(
                    self._settings.topic,
                    bytes(record.value),
                    record.key,
                    record.partition,
                    on_delivery=delivered,
                    headers=list(record.headers),
                )
            except BufferError:
                full = KafkaError(KafkaError._QUEUE_FULL, "local queue is full")  # noqa: SLF001 - its name is so
                self._not_taken.append((request, len(records) - at, full))
                return
            except KafkaException as error:
                self._not_taken.append((request, len(records) - at, error.args[0]))
                return

    def _delivered(self, request: _Request, records: int, error: KafkaError | None) -> None:
        if error is not None and (error.fatal() or error.code() == KafkaError._FATAL):  # noqa: SLF001 - its name is so
            self._broken = True
        if request.delivered(records, error):
            self._finished.append(request)

    def _run(self) -> None:
        """The poll thread: until closed and all is answered."""
        while not self._closing.is_set() or len(self._producer):
            self._producer.poll(_POLL_SECONDS)
            self._answer()
            if self._broken or self._watch.client_lost:
                self._replace_producer()
                self._answer()
        self._answer()

    def _answer(self) -> None:
        """One wake-up of the event loop for all requests that are finished."""
        while self._not_taken:
            self._delivered(*self._not_taken.popleft())
        finished, self._finished = self._finished, []
        if not finished:
            return
        failed = next((request.error for request in finished if request.error is not None), None)
        if failed is not None:
            self._trouble = f"records are not confirmed error={text(failed)}"
            self._trouble_ends = time.monotonic() + _TROUBLE_SECONDS
            self._watch.look()
        else:
            self._trouble_ends = 0.0
        # A closed event loop has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            finished[0].done.get_loop().call_soon_threadsafe(self._resolve, finished)

    def _resolve(self, finished: list[_Request]) -> None:
        for request in finished:
            self._backlog -= request.size
            if request.done.done():
                continue  # its sender has gone
            if request.error is None:
                request.done.set_result(request.appended)
            else:
                request.done.set_exception(_failure(request.error))

    def _new_producer(self) -> Producer:
        settings = self._settings
        own = {
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": settings.compression,
            "linger.ms": int(settings.linger),
            "delivery.timeout.ms": int(settings.delivery_timeout),
            "queue.buffering.max.kbytes": (settings.queue_bytes + _QUEUE_SLACK) >> 10,
            "queue.buffering.max.messages": 0,  # bytes are what is bounded
        }
        return make_client(Producer, client_config(settings, "gateway", own, on_error=self._note))

    def _replace_producer(self) -> None:
        """An idempotent producer that has lost its place, or its brokers, can never go on; a new one can.

        What waited has failed.
        """
        why = "it knows no broker any more" if self._watch.client_lost else "it had a fatal error"
        self._logger.error("producer is made anew", reason=why)
        new = self._new_producer()
        with self._producing:  # or a request could still be handed to the old one
            old, self._producer = self._producer, new
        while len(old):
            old.purge()
            old.flush(_POLL_SECONDS)  # hears of what was purged
        self._broken = False
        self._watch.client_replaced()

    def _grow(self, partitions: int) -> None:
        try:
            self._ask_for_topic(REQUEST_SECONDS)  # so that the producer knows the new ones, too
        except KafkaException as error:
            raise LogUnavailable(f"kafka does not answer error={text(error.args[0])}") from error
        self._partitions = partitions

    def _ask_for_topic(self, seconds: float) -> None:
        self._producer.list_topics(self._settings.topic, seconds)

    def _note(self, error: KafkaError) -> None:
        """Called from within poll."""
        if error.fatal():
            self._broken = True
        self._logger.warning("kafka client has trouble", error=text(error))
        self._watch.look()


def _place_of(message: Message) -> Appended:
    """A batch that was sent again and was there already may be confirmed without its place."""
    kind, append_time = message.timestamp()
    offset = message.offset()
    if offset is None or offset < 0 or kind != TIMESTAMP_LOG_APPEND_TIME:
        return _NOWHERE
    return Appended(offset, append_time)


def _failure(error: KafkaError) -> LogUnavailable:
    hint = ""
    if error.code() in {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}:
        hint = "raise max.message.bytes of the topic to 1000000 or more"
    elif error.code() in {KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND}:
        hint = "the topic has fewer live replicas than its min.insync.replicas: see the brokers"
    return LogUnavailable(f"records are not confirmed error={text(error)}", hint=hint)
