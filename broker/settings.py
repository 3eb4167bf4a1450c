"""The `broker:` section of the settings file."""

from typing import Literal

import msgspec

from forebay.units import Duration, Size


class EmbeddedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    partitions: int = 4
    """May be raised later, never lowered."""
    retention: Duration = Duration(24 * 3_600_000)
    """Committed records are kept this long by append time; others for ever."""
    retention_bytes: Size = Size(10 << 30)
    """The database file's bound. Committed records are removed to stay below it; uncommitted ones never are: instead,
    appends are refused with 503."""
    queue_bytes: Size = Size(64 << 20)
    """Bytes handed over and not yet durable, above which appends are refused with 503."""

    def __post_init__(self) -> None:
        if not 1 <= self.partitions <= 1024:
            raise ValueError(f"partitions must be from 1 to 1024 (got {self.partitions})")
        if self.retention <= 0:
            raise ValueError(f"retention must be more than 0 (got {self.retention})")
        if self.retention_bytes < 1 << 20:
            raise ValueError(f"retention_bytes must be at least 1MiB (got {self.retention_bytes})")
        if self.queue_bytes <= 0:
            raise ValueError(f"queue_bytes must be more than 0 (got {self.queue_bytes})")


class CreateTopic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    partitions: int = 64
    replication_factor: int = 3

    def __post_init__(self) -> None:
        if self.partitions < 1 or self.replication_factor < 1:
            raise ValueError("partitions and replication_factor must be at least 1")


class KafkaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A topic of a Kafka cluster, 3.x or 4.x, and how its clients behave."""

    bootstrap_servers: str = "localhost:9092"
    topic: str = "forebay"
    create_topic: CreateTopic | None = None
    """Creates the topic where there is none; it is never changed."""
    compression: Literal["lz4", "zstd", "snappy", "gzip", "none"] = "lz4"
    linger: Duration = Duration(5)
    """How long a record may wait for others to share a request with."""
    delivery_timeout: Duration = Duration.parse("20s")
    """How long a record may take to be confirmed; below `gateway.append_timeout`, so that the sender is told why."""
    queue_bytes: Size = Size(64 << 20)
    """Bytes handed over and not yet confirmed, above which appends are refused with 503."""
    fetch_bytes: Size = Size(32 << 20)
    """Bytes that a consumer fetches ahead, over all its partitions; half of that again is held ready in order."""
    group_protocol: Literal["classic", "consumer"] = "classic"
    """`consumer` is KIP-848, of Kafka 4.0 and newer."""
    assignment_strategy: str = "cooperative-sticky"
    """Of the classic protocol. All members of a group need one in common."""
    session_timeout: Duration = Duration.parse("30s")
    """After which a member that is not heard of loses its partitions. Of the classic protocol; the newer one has it on
    the broker."""
    watch_interval: Duration = Duration.parse("10s")
    """How often the topic is asked whether it is still the same one, and how many partitions it has."""
    librdkafka: dict[str, str | int | float | bool] = {}
    """Handed to every client as it stands, and stronger than the above: security, time-outs. What exactly-once depends
    on is refused."""

    def __post_init__(self) -> None:
        if not self.bootstrap_servers or not self.topic:
            raise ValueError("bootstrap_servers and topic must not be empty")
        if self.linger < 0 or min(self.delivery_timeout, self.session_timeout, self.watch_interval) <= 0:
            raise ValueError("linger must be at least 0; the time-outs and watch_interval above 0")
        if self.delivery_timeout <= self.linger:
            raise ValueError("delivery_timeout must be above linger")
        if min(self.queue_bytes, self.fetch_bytes) < 1 << 20:
            raise ValueError("queue_bytes and fetch_bytes must be at least 1MiB")
        if owned := sorted(_OWNED.intersection(self.librdkafka)):
            raise ValueError(f"librdkafka must not hold what this program decides (got {', '.join(owned)})")


_OWNED = frozenset(
    {
        "acks",
        "request.required.acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "metadata.broker.list",
        "delivery.timeout.ms",
        "message.timeout.ms",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "isolation.level",
        "partition.assignment.strategy",
        "transactional.id",
    }
)
"""Settings of librdkafka that have a name of their own here, or that exactly-once depends on."""


class BrokerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["embedded", "kafka"] = "embedded"
    record_version: Literal[1, 2] = 1
    """Of the records that gateways write; consumers read both. Version 2 leaves labels out that were written lately:
    upgrade consumers before gateways."""
    label_window: Duration = Duration.parse("7m30s")
    """How long in append time a record of version 2 may rely on the labels of an earlier one. Gateways write labels
    anew within it, consumers look back twice as far: raise it for consumers first, lower it for gateways first."""
    embedded: EmbeddedSettings = EmbeddedSettings()
    kafka: KafkaSettings = KafkaSettings()

    def __post_init__(self) -> None:
        if self.label_window <= 0:
            raise ValueError("label_window must be more than 0")
