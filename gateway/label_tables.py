"""What this gateway wrote with labels lately, for every tenant (docs/decisions/0021-labels-once.md)."""

import threading
from collections.abc import Callable
from functools import partial

from broker.log import Appended
from forebay.clock import Clock
from gateway.policy import TenantPolicy
from wire.series_set import SeriesBudget, SeriesSet
from wire.write_request import Routed
from wire.written_labels import WrittenLabels

RequestBody = tuple[bytes | bytearray | memoryview, int, int, SeriesSet | None]
"""What `TenantPolicy.route` takes by position."""
MAX_TABLES = 20_000
"""Tenants; of more, the one that came first is forgotten, and its labels are written again."""
SWEEPS = 8
"""In a window."""


class LabelTables:
    """A table for each tenant. Any thread may use it."""

    def __init__(self, clock: Clock, *, memory: int, window_ms: int) -> None:
        """`memory` bounds all tables together; `window_ms` is R."""
        self._clock = clock
        self._budget = SeriesBudget(memory)
        self._window_ms = window_ms
        self._mutex = threading.Lock()
        self._tables: dict[str, WrittenLabels] = {}
        self._ahead_ms = 0

    @property
    def log_now(self) -> int:
        """What the log's time is by now, as far as its last answer tells."""
        return self._clock.now_ms() + self._ahead_ms

    @property
    def sweep_seconds(self) -> float:
        return self._window_ms / 1000 / SWEEPS

    @property
    def memory(self) -> int:
        """Bytes that tables take."""
        return self._budget.used

    def count(self) -> int:
        """Series of all tenants that are known."""
        return sum(map(len, list(self._tables.values())))

    @property
    def gauges(self) -> dict[str, Callable[[], float]]:
        """For `GatewayMetrics`."""
        return {"known_labels": self.count, "known_labels_bytes": lambda: self.memory}

    def route(self, policy: TenantPolicy, partitions: int, request: RequestBody) -> Routed:
        """As `TenantPolicy.route`, over a log of so many partitions: labels that are known are left out."""
        route = partial(policy.route, *request, written=self._of(policy.tenant, partitions), log_now=self.log_now)
        return route()._replace(again=partial(route, leave_out=False))

    def learn(self, routed: Routed, appended: list[Appended]) -> list[int]:
        """As `LabelNotes.learn`, of what `route` returned."""
        if routed.labels is None:
            return []
        if appended and appended[0].append_time > 0:
            self._ahead_ms = appended[0].append_time - self._clock.now_ms()
        return routed.labels.learn(appended)

    def sweep(self) -> None:
        """Forgets labels that are too old to rely on, and tenants that wrote none since."""
        now = self.log_now
        for tenant, table in list(self._tables.items()):
            table.sweep(now)
            if not len(table):
                with self._mutex:
                    self._tables.pop(tenant, None)

    def _of(self, tenant: str, partitions: int) -> WrittenLabels:
        """The tenant's, made where there is none; a log that has grown is begun anew."""
        found = self._tables.get(tenant)
        if found is not None and found.partitions == partitions:
            return found
        with self._mutex:
            found = self._tables.get(tenant)
            if found is None or found.partitions != partitions:
                if found is None and len(self._tables) >= MAX_TABLES:
                    self._tables.pop(next(iter(self._tables)))
                found = self._tables[tenant] = WrittenLabels(self._budget, partitions, self._window_ms)
        return found
