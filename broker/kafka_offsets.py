"""The committed offsets of a group, asked for beside its members."""

import threading

from confluent_kafka import Consumer, KafkaException

from broker.kafka_client import client_config, log_error, make_client
from broker.kafka_topic import partition_of
from broker.settings import KafkaSettings

_SECONDS = 3.0
"""How long to ask: what is asked for is a hint, and those who ask have partitions to take over."""


class CommittedOffsets:
    """Thread-safe. Reads only: it never joins the group.

    A consumer of its own, and not the admin client: a request of that one to a group's coordinator ends the process
    where the connection breaks under it (librdkafka issue 4605).
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """Asks nobody yet. Raises Fatal where librdkafka refuses a setting."""
        self._settings = settings
        self._turn = threading.Lock()
        own = {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._consumer = make_client(Consumer, client_config(settings, "offsets", own, on_error=lambda _error: None))

    def get(self, partition: int) -> int | None:
        """None where the group has not committed this partition. Blocks. Raises LogUnavailable, Fatal."""
        doing = "asking for the committed offset"
        with self._turn:
            try:
                (found,) = self._consumer.committed([partition_of(self._settings, partition)], timeout=_SECONDS)
            except KafkaException as error:
                raise log_error(error, doing) from error
        if found.error is not None:
            raise log_error(found.error, doing)
        return found.offset if found.offset >= 0 else None

    def close(self) -> None:
        """May be called twice."""
        with self._turn:
            self._consumer.close()
