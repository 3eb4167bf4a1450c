"""The active series of tenants that have a limit of them."""

import threading
from typing import TYPE_CHECKING

from forebay.clock import Clock
from wire.series_set import ACTIVE_GENERATIONS, SeriesBudget, SeriesSet

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class ActiveSeries:
    """A set for each tenant that has a limit. Any thread may use it.

    A series is active for the window after it was last written, and up to a quarter of that longer. What a request
    brings counts whether the log takes it or not: it is a series that a sender writes.
    """

    def __init__(
        self, clock: Clock, *, memory: int, window_ms: int, logger: "FilteringBoundLogger", shared: bool = False
    ) -> None:
        """`memory` bounds all sets together; with `shared`, they keep what others are to be told of."""
        self._clock = clock
        self._budget = SeriesBudget(memory)
        self._generation_ms = max(1, window_ms // ACTIVE_GENERATIONS)
        self._logger = logger
        self._shared = shared
        self._mutex = threading.Lock()
        self._sets: dict[str, SeriesSet] = {}
        self._uncounted = 0
        self.gateways = 1
        """How many share what is left of a limit until they have heard from each other."""

    @property
    def generation(self) -> int:
        """What it is now: the same number for whoever has the same window and the same clock."""
        return self._clock.now_ms() // self._generation_ms

    @property
    def memory(self) -> int:
        """Bytes that series take."""
        return self._budget.used

    def of(self, tenant: str, limit: int) -> SeriesSet | None:
        """The tenant's, made where there is none; None where it has no limit."""
        if not limit:
            return None
        found = self.get(tenant)
        if found.limit != limit:
            found.limit = limit
            self.allow(found)
        found.advance(self.generation)
        return found

    def get(self, tenant: str) -> SeriesSet:
        """The tenant's with the limit that it has, made where there is none."""
        found = self._sets.get(tenant)
        if found is None:
            with self._mutex:
                found = self._sets.get(tenant)
                if found is None:
                    found = SeriesSet(self._budget, self.generation, shared=self._shared)
                    self._sets[tenant] = found
        return found

    def count_of(self, tenant: str) -> int:
        """Its active series; 0 where it has no limit."""
        found = self._sets.get(tenant)
        return len(found) if found is not None else 0

    def allow(self, found: SeriesSet, *, least: bool = False) -> None:
        """This gateway's part of what is left, or the `least` that it may always admit below the limit.

        The least parts of all gateways are a twentieth of the limit.
        """
        if self.gateways == 1 or not found.limit:
            found.allowance = None
            return
        slack = found.limit // (20 * self.gateways)
        left = max(0, found.limit - len(found)) // self.gateways
        found.allowance = slack if least else max(slack, left)

    def items(self) -> list[tuple[str, SeriesSet]]:
        with self._mutex:
            return list(self._sets.items())

    @property
    def is_used(self) -> bool:
        """Whether any tenant has active series here."""
        return bool(self._sets)

    def sets(self) -> list[SeriesSet]:
        return [each for _, each in self.items()]

    def count(self) -> int:
        """Active series of all tenants that have a limit."""
        return sum(map(len, self.sets()))

    def advance(self) -> None:
        """Forgets what is not active any more, and tenants that have no active series. Takes about 10 ns a series."""
        generation = self.generation
        uncounted = 0
        for tenant, each in self.items():
            each.advance(generation)
            uncounted += each.uncounted
            if not len(each):
                with self._mutex:
                    self._sets.pop(tenant, None)
        if uncounted > self._uncounted:
            self._logger.warning(
                "new series pass without being counted: their limits are not kept",
                series=uncounted - self._uncounted,
                bytes=self.memory,
                hint="raise gateway.active_series_memory, or lower limits.max_active_series",
            )
        self._uncounted = uncounted
