"""A topic of the test's own on a real Kafka, and what is opened on it, closed behind the test."""

from collections.abc import Sequence

from broker.kafka_group import KafkaSubscription
from broker.kafka_group_view import KafkaGroupView
from broker.kafka_reader import KafkaReader
from broker.kafka_writer import KafkaWriter
from broker.log import Listener
from broker.settings import KafkaSettings
from forebay.units import Duration
from tests.broker.contract import Recorder


class Bereaved(Recorder):
    """May be told that all is lost, as where the topic is deleted or the broker is away for long."""

    def lost(self, partitions: Sequence[int]) -> None:
        self.revocations.append(tuple(partitions))


def settings_of(bootstrap: str, topic: str, **changes: object) -> KafkaSettings:
    """As short as tests want them: sessions of three seconds, a look at the topic every second."""
    chosen: dict[str, object] = {
        "bootstrap_servers": bootstrap,
        "topic": topic,
        "session_timeout": Duration.parse("3s"),
        "watch_interval": Duration.parse("1s"),
        **changes,
    }
    return KafkaSettings(**chosen)  # type: ignore[arg-type]


class KafkaHarness:
    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._writers: list[KafkaWriter] = []
        self._readers: list[KafkaReader | KafkaSubscription] = []

    def group_id(self, group: str) -> str:
        """The topic's own."""
        return f"{self.settings.topic}-{group}"

    async def writer(self) -> KafkaWriter:
        writer = KafkaWriter(self.settings)
        self._writers.append(writer)
        return writer

    def reader(self) -> KafkaReader:
        reader = KafkaReader(self.settings)
        self._readers.append(reader)
        return reader

    def subscription(self, group: str, listener: Listener, member: str = "") -> KafkaSubscription:
        subscription = KafkaSubscription(self.settings, self.group_id(group), listener, member)
        self._readers.append(subscription)
        return subscription

    def group_view(self, group: str) -> KafkaGroupView:
        return KafkaGroupView(self.settings, self.group_id(group))

    async def close(self) -> None:
        for reader in self._readers:
            reader.close()
        for writer in self._writers:
            await writer.close()
