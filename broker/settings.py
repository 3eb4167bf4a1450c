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
    bootstrap_servers: str = "localhost:9092"
    topic: str = "forebay"
    create_topic: CreateTopic | None = None
    librdkafka: dict[str, str | int | float | bool] = {}
    """Handed to the client as it stands."""


class BrokerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["embedded", "kafka"] = "embedded"
    embedded: EmbeddedSettings = EmbeddedSettings()
    kafka: KafkaSettings = KafkaSettings()
