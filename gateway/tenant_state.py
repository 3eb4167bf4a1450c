"""What a gateway remembers of each tenant, within a bound on how many."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.token_bucket import TokenBucket

MAX_TENANTS = 20_000
"""Tenants that are remembered; of more, the one that was quiet for longest is forgotten."""


@dataclass(slots=True)
class TenantState:
    """One tenant, as this gateway has seen it. For the event loop."""

    last_ms: int = 0
    """When it last wrote."""
    samples: int = 0
    """Made durable, float and histogram samples together."""
    bucket: TokenBucket | None = None
    """What is left of its samples per second; none where nobody asked yet."""
    arriving: int = 0
    """Requests that were let in on their headers, and have not paid yet."""
    request_samples: float = 0.0
    """Of its requests, a moving mean."""


class TenantStates:
    """States by tenant, least recently used first out."""

    def __init__(self, limit: int = MAX_TENANTS) -> None:
        self._limit = limit
        self._states: OrderedDict[str, TenantState] = OrderedDict()

    def of(self, tenant: str) -> TenantState:
        """The tenant's state, a new one where it is not remembered."""
        state = self._states.get(tenant)
        if state is None:
            if len(self._states) >= self._limit:
                self._states.popitem(last=False)
            state = self._states[tenant] = TenantState()
        else:
            self._states.move_to_end(tenant)
        return state

    def __len__(self) -> int:
        return len(self._states)
