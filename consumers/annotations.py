"""What senders say of series besides samples: exemplars and metadata, of every tenant, in bounded memory.

Blocks have no place for them. They come from the log and are kept by who reads it: nothing is written anywhere, and a
consumer that starts anew knows what the records of its open segments say.
"""

from collections import OrderedDict
from typing import NamedTuple

from consumers.exemplars import Exemplars
from consumers.head import HOLDS_EXEMPLARS, HOLDS_METADATA
from consumers.metadata import Metadata


class Annotated(NamedTuple):
    """One tenant's."""

    exemplars: Exemplars
    metadata: Metadata

    @property
    def memory_bytes(self) -> int:
        return self.exemplars.memory_bytes + self.metadata.memory_bytes


class Annotations:
    """Taken by one thread; the rest may be called from any."""

    def __init__(self, *, exemplar_bytes: int, metadata_bytes: int, memory: int) -> None:
        """Bounds of one tenant's exemplars, of its metadata, and of all tenants together; all in bytes."""
        self._exemplar_bytes = exemplar_bytes
        self._metadata_bytes = metadata_bytes
        self._memory = memory
        self._tenants: OrderedDict[str, Annotated] = OrderedDict()
        self.memory_bytes = 0
        self.tenants_forgotten = 0

    def take(self, tenant: str, record: bytes, holds: int) -> None:
        """Keeps what a record says that a head has taken, which said what it holds.

        Above `memory`, the quietest tenant is forgotten.
        """
        annotated = self._tenants.get(tenant)
        if annotated is None:
            annotated = Annotated(Exemplars(self._exemplar_bytes), Metadata(self._metadata_bytes))
            self._tenants[tenant] = annotated
            self.memory_bytes += annotated.memory_bytes
        else:
            self._tenants.move_to_end(tenant)
        held = annotated.memory_bytes
        if holds & HOLDS_EXEMPLARS:
            annotated.exemplars.take(record)
        if holds & HOLDS_METADATA:
            annotated.metadata.take(record)
        self.memory_bytes += annotated.memory_bytes - held
        while self.memory_bytes > self._memory and len(self._tenants) > 1:
            _, gone = self._tenants.popitem(last=False)
            self.memory_bytes -= gone.memory_bytes
            self.tenants_forgotten += 1

    def of(self, tenant: str) -> Annotated | None:
        """None where nothing is known."""
        return self._tenants.get(tenant)

    def __len__(self) -> int:
        """Tenants of whom anything is known."""
        return len(self._tenants)

    def tenants(self) -> list[tuple[str, Annotated]]:
        """A copy, the quietest first."""
        return list(self._tenants.items())
