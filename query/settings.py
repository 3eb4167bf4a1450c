"""The `query:` section of the settings file."""

import msgspec

from forebay.units import Size


class QuerySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the read side; what is beyond them is refused with a clear 400."""

    max_samples: int = 50_000_000
    """Samples in one answer, as Prometheus' own `--storage.remote.read-sample-limit`."""
    max_concurrent: int = 10
    """Queries at work at once; others wait."""
    max_body_bytes: Size = Size(32 << 20)
    """Of one request, compressed and not."""
