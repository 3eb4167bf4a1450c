"""The book of rejections: what was refused before the ack, by tenant and reason, within a bound on memory.

A sender drops what was refused, so a refusal is the last that is heard of a sample. The book keeps counts, times and a
few examples for whoever asks. It starts empty with the process, and when it is full forgets who was quiet for longest.
"""

import heapq
import sys
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.rejections_report import Example, ReasonReport, TenantReport
from wire.write_request import Rejection, Routed

MAX_BYTES = 32 << 20
"""Of all tenants together, by estimate."""
EXAMPLES = 5
"""Kept of each tenant and reason: of different series, the newest."""
_TENANT_BYTES = 600
_REASON_BYTES = 900
_EXAMPLE_BYTES = 250


@dataclass(slots=True)
class _Row:
    first_time: int
    last_time: int = 0
    samples: int = 0
    shadow_samples: int = 0
    requests: int = 0
    shadow_requests: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class _Tenant:
    rows: dict[str, _Row] = field(default_factory=dict)
    samples: int = 0
    shadow_samples: int = 0
    bytes: int = 0


class RejectionBook:
    """For one event loop. Nothing here blocks or raises."""

    def __init__(self, since: int, max_bytes: int = MAX_BYTES) -> None:
        """`since` is now, ms: what the book tells is from then on."""
        self.since = since
        self.forgotten = 0
        """Tenants that were in the book and are not any more."""
        self.samples = 0
        """Refused of all tenants, forgotten ones too."""
        self.shadow_samples = 0
        """What limits in shadow mode would have refused of them."""
        self.bytes = 0
        self._max_bytes = max_bytes
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()

    def note(self, tenant: str, routed: Routed, now_ms: int) -> None:
        """What one request was refused, once the rest of it is durable."""
        for reason, samples in routed.rejected.items():
            self._add(tenant, reason, samples, now_ms, shadow=False)
        for reason, samples in routed.shadowed.items():
            self._add(tenant, reason, samples, now_ms, shadow=True)
        if routed.rejected:
            self._keep(tenant, routed.examples, now_ms)

    def note_request(
        self, tenant: str, reason: str, samples: int, now_ms: int, *, shadow: bool = False, problem: str = ""
    ) -> None:
        """A request that was refused as a whole, such as by 429; `samples` is 0 where its body was not looked at."""
        self._add(tenant, reason, samples, now_ms, shadow=shadow)
        if problem:
            self._keep(tenant, [Rejection(reason, problem, None)], now_ms)

    def report(self, tenant: str) -> TenantReport:
        """What there is of one tenant; of one that was refused nothing, an empty report."""
        found = self._tenants.get(tenant)
        rows = found.rows if found else {}
        return TenantReport(tenant, self.since, tuple(_report(reason, row) for reason, row in sorted(rows.items())))

    def top(self, count: int) -> list[str]:
        """Tenants of which most was refused, first; then those with most in shadow mode."""

        def weight(tenant: str) -> tuple[int, int]:
            found = self._tenants[tenant]
            return found.samples, found.shadow_samples

        return heapq.nlargest(count, self._tenants, key=weight)

    def samples_of(self, tenant: str) -> int:
        """Refused so far, by all reasons."""
        found = self._tenants.get(tenant)
        return found.samples if found else 0

    def shadow_samples_of(self, tenant: str) -> int:
        """What limits in shadow mode would have refused so far."""
        found = self._tenants.get(tenant)
        return found.shadow_samples if found else 0

    def __len__(self) -> int:
        """Tenants in the book."""
        return len(self._tenants)

    def _add(self, tenant: str, reason: str, samples: int, now_ms: int, *, shadow: bool) -> None:
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = _Tenant()
            self._grow(found, _TENANT_BYTES + len(tenant))
        else:
            self._tenants.move_to_end(tenant)
        row = found.rows.get(reason)
        if row is None:
            row = found.rows[reason] = _Row(now_ms)
            self._grow(found, _REASON_BYTES)
        row.last_time = now_ms
        if shadow:
            row.shadow_samples += samples
            row.shadow_requests += 1
            found.shadow_samples += samples
            self.shadow_samples += samples
        else:
            row.samples += samples
            row.requests += 1
            found.samples += samples
            self.samples += samples

    def _keep(self, tenant: str, examples: Iterable[Rejection], now_ms: int) -> None:
        found = self._tenants.get(tenant)
        for each in examples:
            row = found.rows.get(each.reason) if found else None
            if found is None or row is None:
                continue
            same = next((example for example in row.examples if example.series == each.series), None)
            gone = same or (row.examples[0] if len(row.examples) == EXAMPLES else None)
            if gone is not None:
                row.examples.remove(gone)
                self._grow(found, -_size(gone))
            example = Example(each.series, each.timestamp, now_ms)
            row.examples.append(example)
            self._grow(found, _size(example))

    def _grow(self, found: _Tenant, count: int) -> None:
        found.bytes += count
        self.bytes += count
        while self.bytes > self._max_bytes and len(self._tenants) > 1:
            _, gone = self._tenants.popitem(last=False)
            self.bytes -= gone.bytes
            self.forgotten += 1


def _size(example: Example) -> int:
    return _EXAMPLE_BYTES + sys.getsizeof(example.series)


def _report(reason: str, row: _Row) -> ReasonReport:
    return ReasonReport(
        reason=reason,
        stage="gateway",
        samples=row.samples,
        shadow_samples=row.shadow_samples,
        requests=row.requests,
        shadow_requests=row.shadow_requests,
        first_time=row.first_time,
        last_time=row.last_time,
        examples=tuple(reversed(row.examples)),
    )
