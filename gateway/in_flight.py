"""The gateway's memory bound: bytes of requests that are not answered yet."""

from types import TracebackType
from typing import Self

from forebay.errors import Retryable


class GatewayFull(Retryable):
    """Requests in flight hold all the bytes that settings allow."""


class InFlight:
    """A budget of bytes, for one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.requests = 0

    def open(self) -> "Reservation":
        """One request's share; nothing is taken yet."""
        return Reservation(self)


class Reservation:
    """What one request holds of the budget, given back as a whole when its `with` block ends."""

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: InFlight) -> None:
        self._budget = budget
        self._held = 0

    def take(self, count: int) -> None:
        """Takes `count` bytes more, or raises GatewayFull and takes none."""
        budget = self._budget
        if budget.bytes + count > budget.limit:
            raise GatewayFull(
                f"too many bytes in flight: in_flight={budget.bytes} more={count} limit={budget.limit}",
                hint="retry; add gateways, or raise gateway.in_flight_bytes where memory allows",
            )
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
        self._held = 0
