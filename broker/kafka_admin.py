"""Questions to the cluster as a whole, through a client that is made anew when it gets no answers."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from broker.kafka_client import PASSING, QUIET, REQUEST_SECONDS, UNANSWERED, client_config, log_error, make_client, text
from broker.log import LogUnavailable
from broker.settings import KafkaSettings
from forebay.errors import ForebayError

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

_GRACE_SECONDS = 5.0
"""How much longer than its own bound an answer is waited for."""


class KafkaAdmin:
    """Asks the cluster. Thread-safe.

    A client that was told of no broker forgets all it knew, its bootstrap servers too, and may never ask again
    (librdkafka issue 5301): a broker that just stops or was frozen says so of itself. So whoever gets no answer leaves
    a new client for whoever asks next. There is one at a time, and those that others still wait for.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Raises Fatal where librdkafka refuses a setting."""
        self._config = client_config(settings, "admin", QUIET, on_error=self._note)
        self._mutex = threading.Lock()
        self._number = 0
        self._answered = -1
        """The number of the client that was last answered."""
        self._client = make_client(AdminClient, self._config)
        self.trouble: KafkaError | None = None
        """What the connections met since the last question began."""

    def ask(self, request: "Callable[[AdminClient], Mapping[Key, Future[Answer]]]", doing: str) -> dict[Key, Answer]:
        """All the answers. Blocks. The question itself has a bound of REQUEST_SECONDS.

        Raises:
            KafkaException: the first failure.
            LogUnavailable: not even that came in time.
        """
        with self._mutex:
            client, number = self._client, self._number
        try:
            client.poll(0)  # what is over, with old log lines
            self.trouble = None
            answers = request(client)
            found = {key: answer.result(REQUEST_SECONDS + _GRACE_SECONDS) for key, answer in answers.items()}
        except FutureTimeoutError as error:
            self._renew(number)
            raise LogUnavailable(f"kafka does not answer while={doing}") from error
        except KafkaException as error:
            client.poll(0)  # what its connections met
            if error.args[0].code() in UNANSWERED:
                self._renew(number)
            raise
        else:
            self._answered = number
            return found
        finally:
            del client  # an exception keeps this frame alive, and would keep the client and its threads

    def prepare(self, topic: str) -> None:
        """Before a question about leaders. Blocks. Raises KafkaException.

        A new client that asks it while it goes over from the bootstrap servers to the brokers themselves may lose it,
        and says so only when its time is over.
        """
        with self._mutex:
            client, number = self._client, self._number
        try:
            if self._answered != number:
                client.list_topics(topic, timeout=REQUEST_SECONDS)
                self._answered = number
        except KafkaException as error:
            if error.args[0].code() in UNANSWERED:
                self._renew(number)
            raise
        finally:
            del client

    def renew(self) -> None:
        """Whoever asks next has a new client: what this one said shows that it does not know the cluster any more."""
        self._renew(self._number)

    def learn(self, topic: str) -> None:
        """Asks for the leaders of its partitions anew, or the client would go by what it knows for minutes. Blocks."""
        with contextlib.suppress(KafkaException):  # the next question tells
            self._client.list_topics(topic, timeout=REQUEST_SECONDS)

    def failed(self, failure: KafkaException, doing: str) -> ForebayError:
        """A request that only timed out says nothing: what the connections met meanwhile does."""
        if self.trouble is None or failure.args[0].code() not in PASSING:
            return log_error(failure, doing)
        return LogUnavailable(
            f"kafka does not answer while={doing} error={text(self.trouble)}",
            hint="see broker.kafka.bootstrap_servers, security.protocol in broker.kafka.librdkafka, and the brokers",
        )

    def _renew(self, number: int) -> None:
        """Unless somebody has done so since that one was taken."""
        with self._mutex:
            if number == self._number:
                self._number += 1
                self._client = make_client(AdminClient, self._config)

    def _note(self, error: KafkaError) -> None:
        if self.trouble is None or error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its name is so
            self.trouble = error
