"""Whether a topic is still the one that was opened."""

import threading
from collections.abc import Callable

import structlog

from broker.kafka_topic import KafkaTopic, Topic, TopicRecreated
from forebay.errors import ForebayError


class TopicWatch:
    """Asks now and then, on a thread of its own, whether the topic is still the one that was opened.

    `failure` is set once it is not; `trouble` is why the cluster does not answer, empty while it does.
    """

    def __init__(self, topic: KafkaTopic, opened: Topic, seconds: float, *, grown: Callable[[int], None]) -> None:
        """`grown` is told of a new number of partitions, on the watch's thread."""
        self._topic = topic
        self._opened = opened
        self._grown = grown
        self._seconds = seconds
        self._partitions = opened.partitions
        self._wake = threading.Event()
        self._closed = False
        self.failure: TopicRecreated | None = None
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="log-watch", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Something is odd: looks at once, on the watch's own thread."""
        self._wake.set()

    def close(self) -> None:
        """May be called twice."""
        self._closed = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # While it does not answer it is asked again soon: readiness hangs on it.
            self._wake.wait(1.0 if self.trouble else self._seconds)
            if self._closed or self.failure is not None:
                return
            self._wake.clear()
            try:
                self._compare()
                self.trouble = ""
            except TopicRecreated as error:
                self.failure = error
            except ForebayError as error:  # rights that were taken away may be given back
                self.trouble = str(error)

    def _compare(self) -> None:
        now = self._topic.confirm(self._opened)
        if now.partitions > self._partitions:
            structlog.get_logger(component="log").warning(
                "topic has more partitions", before=self._partitions, now=now.partitions
            )
            self._grown(now.partitions)
            self._partitions = now.partitions
