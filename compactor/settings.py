"""What an operator may choose about compaction; frozen and strict. Durations in ms, sizes in bytes."""

import msgspec

from forebay.units import Duration, Size

WINDOW = Duration.parse("2h")
"""A block's span of sample time: the consumer's, which is no setting either."""


class CompactorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of these only `segment_bytes` changes a block's bytes, and with them its name."""

    interval: Duration = Duration.parse("1m")
    """Between the end of a run and the next one."""
    close_delay: Duration = Duration.parse("1h")
    """How long after its end a window counts as closed: its last segments need that long to be built."""
    delete_delay: Duration = Duration.parse("48h")
    """How long a marked block stays for readers that have not seen its successor."""
    orphan_delay: Duration = Duration.parse("48h")
    """How long nothing may have been written to an orphan or a partial upload before it is removed."""
    rollup_interval: Duration = Duration.parse("1h")
    """Between two passes over the manifest chains."""
    retry_max: Duration = Duration.parse("10m")
    """The longest wait after failed runs; the first is `interval`, and each doubles it."""
    segment_bytes: Size = Size.parse("512MiB")
    """Where a block's chunks go on in the next segment file."""

    def __post_init__(self) -> None:
        if min(self.interval, self.segment_bytes, self.rollup_interval) <= 0:
            raise ValueError("interval, rollup_interval and segment_bytes must be above 0")
        if min(self.close_delay, self.delete_delay, self.orphan_delay) < 0:
            raise ValueError("close_delay, delete_delay and orphan_delay must be at least 0")
        if self.retry_max < self.interval:
            raise ValueError("retry_max must be at least interval")
