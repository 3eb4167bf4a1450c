"""What one tenant may send: every limit, frozen and strict. Durations in ms, sizes in bytes."""

import msgspec

from forebay.units import Duration


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tenant's request may hold. Offending samples are answered with 400; the others are stored."""

    max_age: Duration = Duration.parse("7d")
    """How far a sample may lie before the gateway's clock."""
    max_future: Duration = Duration.parse("10m")
    """How far a sample may lie behind the gateway's clock."""
    max_label_pairs: int = 1024
    """Labels of one series."""

    def __post_init__(self) -> None:
        if self.max_age < 0 or self.max_future < 0:
            raise ValueError("max_age and max_future must be at least 0")
        if not 1 <= self.max_label_pairs <= 1024:
            raise ValueError("max_label_pairs must be within 1 and 1024")
