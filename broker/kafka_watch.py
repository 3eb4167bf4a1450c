"""Whether a topic is still the one that was opened, and whether the client that has it open still hears of it."""

import threading
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException

from broker.kafka_topic import KafkaTopic, Topic, TopicRecreated
from forebay.errors import ForebayError

CLIENT_SECONDS: Final = 5.0
"""How long a client may take to find a broker: longer than it waits before it connects again."""


class TopicWatch:
    """Asks now and then, on a thread of its own, whether the topic is still the one that was opened.

    `failure` is set once it is not; `trouble` is why the cluster does not answer, empty while it does.
    `client_lost` is set where the cluster answers, and twice in a row not to the client: see `KafkaAdmin`.
    """

    def __init__(
        self,
        topic: KafkaTopic,
        opened: Topic,
        seconds: float,
        *,
        ask: Callable[[float], object],
        grown: Callable[[int], None] = lambda _partitions: None,
    ) -> None:
        """`ask` asks any broker through the client, for so long, and raises KafkaException where none answers.

        `grown` is told of a new number of partitions. Both are called on the watch's thread; `ask` is not while
        `client_lost` is set.
        """
        self._topic = topic
        self._opened = opened
        self._ask = ask
        self._grown = grown
        self._seconds = seconds
        self._partitions = opened.partitions
        self._wake = threading.Event()
        self._closed = False
        self.failure: TopicRecreated | None = None
        self.trouble = ""
        self.client_lost = False
        self._unheard = False
        self._thread = threading.Thread(target=self._run, name="log-watch", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Something is odd: looks at once, on the watch's own thread."""
        self._wake.set()

    def client_replaced(self) -> None:
        """There is another one now: `ask` asks through it."""
        self._unheard = False
        self.client_lost = False

    def close(self) -> None:
        """May be called twice."""
        self._closed = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # While it does not answer it is asked again soon: readiness hangs on it.
            self._wake.wait(1.0 if self.trouble or self._unheard else self._seconds)
            if self._closed or self.failure is not None:
                return
            self._wake.clear()
            try:
                self._compare()
                self.trouble = ""
                self._look_at_client()
            except TopicRecreated as error:
                self.failure = error
            except ForebayError as error:  # rights that were taken away may be given back
                self.trouble = str(error)
                self._unheard = False

    def _compare(self) -> None:
        now = self._topic.confirm(self._opened)
        if now.partitions > self._partitions:
            structlog.get_logger(component="log").warning(
                "topic has more partitions", before=self._partitions, now=now.partitions
            )
            self._grown(now.partitions)
            self._partitions = now.partitions

    def _look_at_client(self) -> None:
        """The cluster has just answered. One failure may be that it went away since then."""
        if self.client_lost:
            return
        try:
            self._ask(CLIENT_SECONDS)
        except KafkaException as error:
            # It found no broker; one that is slow would be a time-out.
            unheard = error.args[0].code() == KafkaError._TRANSPORT  # noqa: SLF001 - its name is so
            self.client_lost = unheard and self._unheard
            self._unheard = unheard
        else:
            self._unheard = False
