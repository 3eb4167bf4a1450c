"""What an operator may choose about the way in; frozen and strict. Durations in ms, sizes in bytes."""

from typing import Literal

import msgspec

from forebay.units import Duration, Size


class TenancySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who a request belongs to."""

    headers: tuple[str, ...] = ("X-Scope-OrgID", "THANOS-TENANT")
    """Request headers that may name the tenant; where several are there, they must agree."""
    default_tenant: str = "default-tenant"
    """Of requests that name none; empty refuses them."""
    label: str = "tenant_id"
    """External label of a block that holds its tenant."""
    split_label: str = ""
    """Label of a series that names its tenant, stronger than the request's, and is taken off; empty: none does."""
    users: Literal["*", "self"] | dict[str, Literal["*"] | tuple[str, ...]] = "*"
    """Tenants that a basic-auth user may speak for: any; the one of the user's own name; or those of this table, the
    first of which is meant where a request names none. Who is not in the table speaks for none."""
    certificate_field: Literal["", "organization", "organizationalUnit", "commonName"] = ""
    """Of the TLS client certificate's subject: holds the tenants that its owner may speak for."""

    def __post_init__(self) -> None:
        if not all(self.headers):
            raise ValueError("headers must not hold an empty name")
        if not self.label:
            raise ValueError("label must not be empty")
        if self.split_label == "__name__":
            raise ValueError("split_label must not be __name__")


class HaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HA pairs: identical senders of which one is stored. Gateways and consumers need the same."""

    tenants: Literal["*"] | tuple[str, ...] = ()
    """Whose pairs are deduplicated: nobody's, these tenants', or everybody's."""
    cluster_label: str = "cluster"
    """What a series' sender is a replica of."""
    replica_label: str = "__replica__"
    """Which replica it is; taken off before the series is stored."""
    failover_timeout: Duration = Duration.parse("90s")
    """How long the followed replica must be silent, in append time, before another is followed."""
    max_clusters: int = 100
    """Of one tenant at a time, in one partition; those beyond are stored as they come, every replica of them."""

    def __post_init__(self) -> None:
        if not self.cluster_label or self.replica_label in {"", "__name__", self.cluster_label}:
            raise ValueError("cluster_label and replica_label must be two label names, replica_label not __name__")
        if self.failover_timeout <= 0:
            raise ValueError("failover_timeout must be above 0")
        if not 1 <= self.max_clusters <= 10_000:
            raise ValueError("max_clusters must be within 1 and 10000")

    def deduplicates(self, tenant: str) -> bool:
        return self.tenants == "*" or tenant in self.tenants


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one gateway takes at a time.

    A body over a cap is refused for good and its sender drops it, so the caps are generous: Prometheus sends about
    1 MiB decompressed. Being full is 503, and the sender keeps the data.
    """

    max_compressed_bytes: Size = Size.parse("32MiB")
    max_body_bytes: Size = Size.parse("32MiB")
    """Of a decompressed body; Prometheus as a receiver has the same cap."""
    in_flight_bytes: Size = Size.parse("512MiB")
    """Of all requests that are not answered yet: compressed, decompressed and routed bytes."""
    body_timeout: Duration = Duration.parse("30s")
    """How long a sender may take to send a body."""
    append_timeout: Duration = Duration.parse("25s")
    """How long the log may take; below the 30 s after which Prometheus sends again on its own."""
    thread_bytes: Size = Size.parse("1MiB")
    """Bodies that decompress to more are worked on beside the event loop, so that other requests go on."""
    threads: int = 2
    max_concurrent: int = 256
    """Requests at work at a time at most, nearly all of them waiting for the log; bodies over thread_bytes are not
    counted."""
    work_target: Duration = Duration(25)
    """How long work on a request, the log's part included, should take; there are fewer places while it takes longer.
    Twice the least that was seen within a minute, where that is more."""
    burst_wait: Duration = Duration(250)
    """How long a request may wait for its turn; longer is 503."""
    standing_wait: Duration = Duration(10)
    """Who would wait longer is refused at once while there is overload, which no waiting cures: once requests have
    been waiting for burst_wait without a break and have hardly become fewer, until there is room for all again."""
    limited_wait: Duration = Duration.parse("250ms")
    """How long a sender beyond its samples per second waits for its 429, so that it asks no more often; up to eight
    times as long where many of its tenant wait."""
    relabel_memory: Size = Size.parse("64MiB")
    """For what the regexes of relabel rules said about values, so that they are not asked again."""

    active_series_memory: Size = Size.parse("256MiB")
    """For the active series of tenants that have a limit of them; 11 to 21 bytes each."""
    active_series_window: Duration = Duration.parse("20m")
    """How long a series is active after it was last written, and up to a quarter longer."""

    label_memory: Size = Size.parse("256MiB")
    """For the series whose labels are left out of records of version 2; 27 to 64 bytes each. More keep their labels."""

    share_limits: bool = True
    """Hold tenants to their active series and samples per second together with the other gateways of a Kafka log."""

    def __post_init__(self) -> None:
        if (
            min(
                self.max_compressed_bytes,
                self.max_body_bytes,
                self.body_timeout,
                self.append_timeout,
                self.threads,
                self.max_concurrent,
                self.standing_wait,
                self.relabel_memory,
                self.active_series_memory,
                self.active_series_window,
                self.label_memory,
                self.work_target,
            )
            <= 0
        ):
            raise ValueError("all but thread_bytes must be above 0")
        if self.limited_wait < 0:
            raise ValueError("limited_wait must be at least 0")
        if self.standing_wait > self.burst_wait:
            raise ValueError("standing_wait must not be above burst_wait")
        if self.in_flight_bytes < self.largest_request:
            raise ValueError(
                "in_flight_bytes must be at least max_compressed_bytes + 2 * max_body_bytes, "
                "or the largest allowed request could never be taken"
            )

    @property
    def largest_request(self) -> int:
        """Bytes that the largest allowed request holds: compressed, decompressed, and as records."""
        return self.max_compressed_bytes + 2 * self.max_body_bytes
