"""The committed offsets of a group, asked for beside its members."""

import threading
import time

from confluent_kafka import Consumer, KafkaException

from broker.kafka_client import QUIET, UNANSWERED, client_config, log_error, make_client
from broker.kafka_topic import partition_of
from broker.settings import KafkaSettings
from forebay.errors import ForebayError

_SECONDS = 3.0
"""How long to ask: what is asked for is a hint, and those who ask have partitions to take over."""
_REMEMBER_SECONDS = 1.0


class CommittedOffsets:
    """Thread-safe. Reads only: it never joins the group.

    A consumer of its own, and not the admin client: a request of that one to a group's coordinator ends the process
    where the connection breaks under it (librdkafka issue 4605).
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """Asks nobody yet. Raises Fatal where librdkafka refuses a setting."""
        self._settings = settings
        self._turn = threading.Lock()
        self._failed: ForebayError | None = None
        self._failed_until = 0.0
        own = QUIET | {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._config = client_config(settings, "offsets", own, on_error=lambda _error: None)
        self._consumer = make_client(Consumer, self._config)

    def get(self, partition: int) -> int | None:
        """None where the group has not committed this partition. Blocks. Raises LogUnavailable, Fatal."""
        with self._turn:
            # Whoever waited for the one that has just failed would wait as long again, and all of them in a row.
            if self._failed is not None and time.monotonic() < self._failed_until:
                raise self._failed
            try:
                return self._ask(partition)
            except ForebayError as error:
                self._failed, self._failed_until = error, time.monotonic() + _REMEMBER_SECONDS
                raise

    def close(self) -> None:
        """May be called twice."""
        with self._turn:
            self._consumer.close()

    def _ask(self, partition: int) -> int | None:
        doing = "asking for the committed offset"
        try:
            self._consumer.poll(0)  # lets go of what connections met; there is nothing to hand out
            (found,) = self._consumer.committed([partition_of(self._settings, partition)], timeout=_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in UNANSWERED:  # it may know no broker any more: see KafkaAdmin
                self._consumer.close()
                self._consumer = make_client(Consumer, self._config)
            raise log_error(error, doing) from error
        if found.error is not None:
            raise log_error(found.error, doing)
        return found.offset if found.offset >= 0 else None
