"""What an operator may choose about consuming; frozen and strict. Durations in ms, sizes in bytes, as forebay.units."""

import msgspec

from forebay.units import Duration, Size

WINDOW = Duration.parse("2h")
"""A block's span of sample time. Not a setting: Thanos, Prometheus and the compactor's levels all stand on it."""

SLACK = Duration.parse("10m")
"""How much wider than the gateway's the consumer's bounds are, so that clock skew between the two rejects nothing that
was acknowledged."""


MIN_ANNOTATION_BYTES = 4096


class SegmentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where segments end. Part of the recipe, but for `grace`."""

    interval: Duration = Duration.parse("30m")
    grace: Duration = Duration.parse("30s")
    """How far the clock must be past the mark before an idle segment ends: skew between broker and consumer."""
    max_bytes: Size = Size.parse("1GiB")

    def __post_init__(self) -> None:
        if self.interval <= 0 or self.max_bytes <= 0 or self.grace < 0:
            raise ValueError("interval and max_bytes must be above 0, grace at least 0")


class BoundSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sample's timestamp may be, against its record's append time; a little wider than the gateway's limits."""

    max_age: Duration = Duration(Duration.parse("7d") + SLACK)
    max_future: Duration = Duration(Duration.parse("10m") + SLACK)
    max_windows: int = 128

    def __post_init__(self) -> None:
        if self.max_age < 0 or self.max_future < 0 or self.max_windows <= 0:
            raise ValueError("max_age and max_future must be at least 0, max_windows above 0")

    @classmethod
    def wider_than(cls, max_age: int, max_future: int) -> "BoundSettings":
        """The bounds that go with the gateway's."""
        return cls(max_age=Duration(max_age + SLACK), max_future=Duration(max_future + SLACK))


class ConsumerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a consumer works; nothing here changes a block's bytes."""

    group: str = "forebay"
    replica: str = ""
    """A second group, named `<group>-<replica>`, reads the same log for the sake of available reads."""
    member: str = ""
    """Static member id on Kafka, such as the pod's name: a restart within the session time-out moves no partition."""
    memory: Size = Size.parse("2GiB")
    """Of all heads. Above it partitions wait until a segment is published, and are then read one at a time."""
    exemplar_bytes: Size = Size.parse("1MiB")
    """Of one tenant's newest exemplars."""
    metadata_bytes: Size = Size.parse("1MiB")
    """Of one tenant's metadata."""
    annotation_memory: Size = Size.parse("128MiB")
    """Of the exemplars and metadata of all tenants; above it, the tenant that was quiet for longest is forgotten."""
    poll_bytes: Size = Size.parse("16MiB")
    poll_timeout: Duration = Duration.parse("200ms")
    build_threads: int = 2
    publish_threads: int = 8
    """How many segments are on their way into the bucket at a time; they mostly wait for it."""
    retry_min: Duration = Duration.parse("200ms")
    retry_max: Duration = Duration.parse("30s")
    drain_timeout: Duration = Duration.parse("30s")
    """How long a stop waits for segments that are being published, before it leaves them to the next start."""

    def __post_init__(self) -> None:
        if not self.group:
            raise ValueError("group must not be empty")
        if min(self.build_threads, self.publish_threads, self.poll_bytes, self.poll_timeout, self.memory) <= 0:
            raise ValueError("build_threads, publish_threads, poll_bytes, poll_timeout and memory must be above 0")
        if min(self.exemplar_bytes, self.metadata_bytes) < MIN_ANNOTATION_BYTES:
            raise ValueError("exemplar_bytes and metadata_bytes must be at least 4KiB")
        if self.annotation_memory < self.exemplar_bytes + self.metadata_bytes:
            raise ValueError("annotation_memory must be at least exemplar_bytes + metadata_bytes")
        if not 0 < self.retry_min <= self.retry_max:
            raise ValueError("retry_min must be above 0 and at most retry_max")
        if self.drain_timeout < 0:
            raise ValueError("drain_timeout must be at least 0")

    @property
    def group_id(self) -> str:
        return f"{self.group}-{self.replica}" if self.replica else self.group
