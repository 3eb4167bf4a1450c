from typing import NamedTuple

class Rejection(NamedTuple):
    """One refused series or sample, for the answer to the sender."""

    reason: str
    series: str
    """The label set as {a="b", …}, shortened to 200 characters, undecodable bytes replaced."""
    timestamp: int | None

class Routed(NamedTuple):
    records: list[tuple[int, bytes]]
    """(partition, WriteRequest bytes): at most `max_record_bytes` each, in the order they must be appended."""
    series: int
    samples: int
    """Accepted float samples."""
    histograms: int
    """Accepted histogram samples."""
    exemplars: int
    metadata: int
    rejected: dict[str, int]
    """Reason to count of refused samples; a series refused as a whole counts each of its samples, at least one."""
    examples: list[Rejection]
    """The first few refusals, at most `max_examples`."""

REASONS: tuple[str, ...]
"""Every reason that `rejected` may name."""

class Router:
    """The walk over a remote-write 1.0 WriteRequest: validates, makes labels canonical, hashes, routes.

    Rules, in the order they are checked: see `REASONS` in write_request.pyx and docs/remote-write.md.
    """

    def __init__(
        self,
        partitions: int,
        *,
        max_record_bytes: int = 900 * 1024,
        max_label_pairs: int = 1024,
        max_examples: int = 10,
    ) -> None: ...
    def route(self, body: bytes | bytearray | memoryview, seed: int, min_time: int, max_time: int) -> Routed:
        """Walks one decompressed body without the GIL; good series are routed whatever the others are.

        `seed` is `tenant_seed(tenant)`; samples outside [min_time, max_time] (ms) are refused one by one.

        Raises:
            InvalidData: not a WriteRequest at all (truncated, wrong wire type, overlong varint): nothing is routed.
        """
