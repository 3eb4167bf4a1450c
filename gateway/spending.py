"""What tenants spend of their samples per second in one process, paid for in every process behind the same port.

Each process has a bucket of the whole rate for each tenant, and takes out of it what the others have stored, too. So it
does not matter which process a tenant's connections lie at. Until the others have heard of it, each may let a burst
through; what was too much is a debt in all of them, and over time the rate holds.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Final

from gateway.siblings import Siblings

TOPIC: Final = "spent"
INTERVAL: Final = 1.0
"""Seconds between two askings: how long a process may not know what others have let through."""
_AT_A_TIME: Final = 500
"""Tenants that are charged before other work has its turn."""


class Spending:
    """For one event loop."""

    def __init__(self, siblings: Siblings, charge: Callable[[str, int], None]) -> None:
        """`charge` is called with what tenants have spent elsewhere."""
        self._siblings = siblings
        self._charge = charge
        self._name = uuid.uuid4().hex
        self._unheard: dict[str, dict[str, int]] = {}
        """By process, the one that asked last at the end: what it has not been told of."""
        siblings.provide(TOPIC, self._tell)

    def note(self, tenant: str, samples: int) -> None:
        """Stored here, and paid for."""
        for unheard in self._unheard.values():
            unheard[tenant] = unheard.get(tenant, 0) + samples

    async def exchange(self) -> None:
        """Asks every other process once, and charges for what they tell."""
        for reply in await self._siblings.gather(TOPIC, self._name):
            for number, (tenant, samples) in enumerate((reply.value or {}).items()):
                if number % _AT_A_TIME == _AT_A_TIME - 1:
                    await asyncio.sleep(0)
                self._charge(tenant, samples)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.exchange()

    async def _tell(self, asker: str) -> dict[str, int]:
        if asker == self._name:
            return {}
        told = self._unheard.pop(asker, {})
        self._unheard[asker] = {}
        while len(self._unheard) >= self._siblings.processes:
            self._unheard.pop(next(iter(self._unheard)))  # it was replaced, and asks no more
        return told
