"""Takes note of every refusal: in the book, in metrics, and in a few lines of the log."""

from typing import TYPE_CHECKING

from forebay.clock import Clock
from gateway.metrics import GatewayMetrics
from gateway.rejection_book import RejectionBook
from gateway.rejection_log import RejectionLog
from gateway.tenant_labels import TenantLabels
from wire.write_request import Routed

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

TENANT_LABELS = 100
"""Tenants that have a label value of their own in the metrics by tenant."""
_PROBLEM_CHARACTERS = 200


class Rejections:
    """For one event loop. Nothing here blocks or raises."""

    def __init__(self, clock: Clock, metrics: GatewayMetrics, logger: "FilteringBoundLogger") -> None:
        self.book = RejectionBook(clock.now_ms())
        self._clock = clock
        self._metrics = metrics
        self._log = RejectionLog(logger, clock)
        self._labels = TenantLabels(TENANT_LABELS)

    def note(self, tenant: str, routed: Routed) -> None:
        """What was refused of one request, once the rest of it is durable. Costs nothing where that is nothing."""
        if not (routed.rejected or routed.shadowed):
            return
        self.book.note(tenant, routed, self._clock.now_ms())
        examples = {each.reason: each.series for each in reversed(routed.examples)}
        for reason, samples in routed.rejected.items():
            self._count(tenant, reason, samples, examples.get(reason, ""), shadow=False)
        for reason, samples in routed.shadowed.items():
            self._count(tenant, reason, samples, "", shadow=True)

    def note_request(
        self, tenant: str, reason: str, samples: int = 0, *, shadow: bool = False, problem: str = ""
    ) -> None:
        """A request that is refused as a whole, such as by 429; `samples` is 0 where its body was not looked at.

        `problem` is what is told for an example.
        """
        problem = problem[:_PROBLEM_CHARACTERS]
        self.book.note_request(tenant, reason, samples, self._clock.now_ms(), shadow=shadow, problem=problem)
        self._count(tenant, reason, samples, problem, shadow=shadow)

    def _count(self, tenant: str, reason: str, samples: int, example: str, *, shadow: bool) -> None:
        book, metrics = self.book, self._metrics
        counted = book.shadow_samples_of(tenant) if shadow else book.samples_of(tenant)
        label = self._labels.of(tenant, counted, book.shadow_samples if shadow else book.samples)
        if shadow:
            metrics.shadow_rejected[reason].inc(samples)
            metrics.tenant_shadow_rejected.labels(label).inc(samples)
        else:
            metrics.rejected[reason].inc(samples)
            metrics.tenant_rejected.labels(label).inc(samples)
        self._log.note(tenant, reason, samples, example=example, shadow=shadow)
