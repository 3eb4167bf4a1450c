from typing_extensions import Buffer

ACTIVE_GENERATIONS: int
"""For how many generations after its last one a series is active."""

class SeriesBudget:
    """The memory that all sets together may take. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None: ...
    @property
    def used(self) -> int:
        """Bytes."""

class SeriesSet:
    """The active series of one tenant, by the hash that routes them: those seen in this generation or the last four.

    What a generation is, is the caller's to say: a number that rises. Exact but for series that share 61 bits of their
    hash: beside ten million others, a new one is taken for a known one once in 10^11. A series costs 11 to 21 bytes, 8
    more while it waits to be handed on; a set without series costs none.

    Where the budget is used up, new series pass and are not counted: a limit is not kept then, and no data is lost.

    Thread-safe; no method keeps the GIL while it looks at the table, which one thread does at a time.
    """

    def __init__(self, budget: SeriesBudget, generation: int, *, limit: int = 0, shared: bool = False) -> None:
        """With `shared`, what this set is the first to see in a generation is kept for `take_fresh`."""
    def __len__(self) -> int:
        """Active series, as far as they are known here."""
    @property
    def memory(self) -> int:
        """Bytes that its series take."""
    limit: int
    """How many are admitted; 0 for any number. What others have seen is taken beyond it."""
    @property
    def allowance(self) -> int | None:
        """How many new ones may still be admitted, whatever the limit; None for any number."""
    @allowance.setter
    def allowance(self, value: int | None) -> None: ...
    @property
    def uncounted(self) -> int:
        """Series that passed without being counted, for want of memory; each time."""
    @property
    def unshared(self) -> int:
        """Series that others were not told of, for want of memory; each time."""
    def advance(self, generation: int) -> None:
        """Forgets what is not active any more; does nothing where `generation` is not a later one."""
    def admit(self, hashes: Buffer) -> int:
        """How many of these 64-bit hashes are active now: those known, and new ones within limit and allowance."""
    def merge(self, hashes: Buffer, generation: int) -> int:
        """Takes what others have seen in `generation`, whatever the limit says; returns how many were new here."""
    def take_fresh(self) -> bytes:
        """Hashes that were first seen in this generation, by nobody before, since the last call."""
