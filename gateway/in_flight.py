"""The gateway's memory bound: bytes of requests that are not answered yet."""

from types import TracebackType
from typing import Self

from forebay.errors import Retryable

_SHARE = 4
"""Of a tenant's bytes to the bytes that are left: alone it gets four fifths, and others always find some."""


class GatewayFull(Retryable):
    """Requests in flight hold all the bytes that settings allow."""


class InFlight:
    """A budget of bytes, for one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.requests = 0
        self._tenants: dict[str, _Held] = {}

    def open(self) -> "Reservation":
        """One request's share; nothing is taken yet."""
        return Reservation(self)

    def _join(self, tenant: str) -> "_Held":
        held = self._tenants.setdefault(tenant, _Held())
        held.requests += 1
        return held

    def _leave(self, tenant: str, held: "_Held", count: int) -> None:
        held.bytes -= count
        held.requests -= 1
        if not held.requests:
            del self._tenants[tenant]


class _Held:
    __slots__ = ("bytes", "requests")

    def __init__(self) -> None:
        self.bytes = 0
        self.requests = 0


class Reservation:
    """What one request holds of the budget, given back as a whole when its `with` block ends."""

    __slots__ = ("_budget", "_held", "_of", "tenant")

    def __init__(self, budget: InFlight) -> None:
        self._budget = budget
        self._held = 0
        self.tenant = ""
        """Whose it is; empty while that is not known."""
        self._of: _Held | None = None

    def belongs_to(self, tenant: str) -> None:
        """Once, before anything is taken: from now on it counts as this tenant's, which may not have everything."""
        self.tenant = tenant
        self._of = self._budget._join(tenant)  # noqa: SLF001 - its other half

    def take(self, count: int) -> None:
        """Takes `count` bytes more, or raises GatewayFull and takes none.

        A tenant's only request may take what there is; with more of them it may hold four times what it leaves.
        """
        budget, tenant = self._budget, self._of
        left = budget.limit - budget.bytes - count
        if left < 0:
            raise GatewayFull(
                f"too many bytes in flight: in_flight={budget.bytes} more={count} limit={budget.limit}",
                hint="retry; add gateways, or raise gateway.in_flight_bytes where memory allows",
            )
        if tenant is not None:
            if tenant.requests > 1 and tenant.bytes + count > _SHARE * left:
                raise GatewayFull(
                    f"too many bytes in flight of this tenant: held={tenant.bytes} more={count} left={left}",
                    hint="retry; send less at once, or raise gateway.in_flight_bytes where memory allows",
                )
            tenant.bytes += count
        budget.bytes += count
        self._held += count

    def __enter__(self) -> Self:
        self._budget.requests += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._budget.requests -= 1
        self._budget.bytes -= self._held
        if self._of is not None:
            self._budget._leave(self.tenant, self._of, self._held)  # noqa: SLF001 - its other half
            self._of = None
        self._held = 0
