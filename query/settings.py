"""The `query:` section of the settings file."""

import msgspec

from forebay.units import Duration, Size


class QuerySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the read side; what is beyond them is refused with a clear 400."""

    max_samples: int = 50_000_000
    """Samples in one answer, as Prometheus' own `--storage.remote.read-sample-limit`."""
    memory: Size = Size.parse("1GiB")
    """What all queries at work may hold. One that alone needs more is refused with 400, one too many with 503."""
    max_concurrent: int = 10
    """Queries at work at once; others wait."""
    max_body_bytes: Size = Size(32 << 20)
    """Of one request, compressed and not."""
    body_timeout: Duration = Duration.parse("30s")
    """How long a client may take to send a body."""
    in_flight_bytes: Size = Size.parse("128MiB")
    """Of all requests that are not answered yet, compressed and not; above it, 503."""

    def __post_init__(self) -> None:
        if min(self.max_samples, self.memory, self.max_concurrent, self.max_body_bytes, self.body_timeout) <= 0:
            raise ValueError("max_samples, memory, max_concurrent, max_body_bytes and body_timeout must be above 0")
        if self.in_flight_bytes < 2 * self.max_body_bytes:
            raise ValueError(
                "in_flight_bytes must be at least 2 * max_body_bytes, or no largest request could be taken"
            )
