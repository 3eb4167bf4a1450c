from typing import NamedTuple

from typing_extensions import Buffer

class FamilyMetadata(NamedTuple):
    """What is said of a metric family; Prometheus' names for types."""

    type: str
    help: str
    unit: str

class Metadata:
    """Metadata of one tenant's metric families, in bounded memory: what was not sent for longest goes first.

    Any thread may call anything: every method holds the GIL for as long as it looks at the memory.
    """

    def __init__(self, capacity: int) -> None: ...
    def take(self, record: Buffer) -> None:
        """Keeps the metadata of a record that a head has taken; what was there before is only refreshed."""
    def families(self) -> dict[str, list[FamilyMetadata]]:
        """By family, ascending; what was sent last comes first where senders disagree."""
    @property
    def memory_bytes(self) -> int: ...
    @property
    def kept(self) -> int: ...
    @property
    def evicted(self) -> int: ...
