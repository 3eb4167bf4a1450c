"""Opens the log that the settings name."""

from pathlib import Path

from broker.embedded import EmbeddedWriter
from broker.embedded_group import EmbeddedSubscription
from broker.embedded_group_view import EmbeddedGroupView
from broker.embedded_reader import EmbeddedReader
from broker.log import GroupView, Listener, LogReader, LogWriter, Subscription
from broker.settings import BrokerSettings, KafkaSettings
from broker.usage_log import UsageLog
from forebay.clock import Clock


def open_writer(settings: BrokerSettings, directory: Path, clock: Clock) -> LogWriter:
    """Creates the log where there is none. Blocks. Raises Fatal, LogUnavailable; `directory` is the embedded log's."""
    if settings.type == "kafka":
        from broker.kafka_writer import KafkaWriter  # noqa: PLC0415 - an embedded log starts without Kafka's client

        return KafkaWriter(settings.kafka)
    return EmbeddedWriter(settings.embedded, directory, clock, label_window=int(settings.label_window))


def open_reader(settings: BrokerSettings, directory: Path) -> LogReader:
    """Blocks. Raises Fatal, and LogUnavailable where there is no log yet."""
    if settings.type == "kafka":
        from broker.kafka_reader import KafkaReader  # noqa: PLC0415 - as above

        return KafkaReader(settings.kafka)
    return EmbeddedReader(directory)


def open_subscription(
    settings: BrokerSettings, directory: Path, group: str, listener: Listener, clock: Clock, *, member: str = ""
) -> Subscription:
    """Blocks. Raises Fatal, and LogUnavailable where there is no log yet. Joins the group with its first poll.

    `member` is the static member id of Kafka's groups; an embedded group has no use for one.
    """
    if settings.type == "kafka":
        from broker.kafka_group import KafkaSubscription  # noqa: PLC0415 - as above

        return KafkaSubscription(settings.kafka, group, listener, member)
    return EmbeddedSubscription(directory, group, listener, clock)


def open_group(settings: BrokerSettings, directory: Path, group: str) -> GroupView:
    """Asks nobody yet. Raises Fatal."""
    if settings.type == "kafka":
        from broker.kafka_group_view import KafkaGroupView  # noqa: PLC0415 - as above

        return KafkaGroupView(settings.kafka, group)
    return EmbeddedGroupView(directory, group)


def open_usage(settings: KafkaSettings, back_ms: int) -> UsageLog:
    """What gateways of this log tell each other, from `back_ms` before now on; an embedded log has but one.

    Blocks. Raises Fatal, LogUnavailable.
    """
    from broker.kafka_usage import KafkaUsage  # noqa: PLC0415 - as above

    return KafkaUsage(settings, back_ms)
