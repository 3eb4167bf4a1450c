"""One view of everything that was refused: before the ack by the processes of this gateway, after it by consumers."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from gateway.rejection_book import RejectionBook
from gateway.rejections_report import ReasonReport, TenantReport, merge
from gateway.siblings import Siblings

TOPIC = "rejections"


class Look(msgspec.Struct, frozen=True):
    """How much is known of what consumers rejected."""

    since: int | None = None
    """Append time of the first record that was looked at, ms; None where there is none."""
    until: int | None = None
    """When it was last looked, ms; None while it never was."""
    problem: str = ""
    """Why it could not be looked now; what is told is older then."""


class AfterAck(Protocol):
    """What consumers rejected of acknowledged samples, as ledgers say. For one event loop."""

    async def look(self) -> Look:
        """Looks again where the last time is long ago; waits a moment for it, and does not raise."""
        ...

    def of(self, tenant: str) -> Sequence[ReasonReport]:
        """As of the last look."""
        ...

    def tenants(self) -> Sequence[str]:
        """Those that anything was rejected of, as of the last look; most samples first."""
        ...


class Nothing:
    """Where consumers' ledgers cannot be seen."""

    async def look(self) -> Look:
        return Look(problem="no bucket is configured here, so consumers' ledgers cannot be read")

    def of(self, _tenant: str) -> Sequence[ReasonReport]:
        return ()

    def tenants(self) -> Sequence[str]:
        return ()


class View(msgspec.Struct, frozen=True):
    tenants: tuple[TenantReport, ...]
    """Most refused samples first."""
    count: int
    """Tenants that were refused anything, at least; `tenants` may hold fewer."""
    forgotten: int
    """Tenants that are not in the book any more."""
    after_ack: Look
    problems: tuple[str, ...] = ()
    """Of processes that did not answer: their counts are missing."""


class _Page(msgspec.Struct, frozen=True):
    """What one process has to say."""

    since: int
    tenants: tuple[TenantReport, ...]
    count: int
    forgotten: int


class RejectionsView:
    """For one event loop."""

    def __init__(
        self,
        book: RejectionBook,
        after_ack: AfterAck,
        siblings: Siblings,
        active_series: Callable[[str], int] = lambda _tenant: 0,
    ) -> None:
        """`active_series` of a tenant, as this process knows them."""
        self._book = book
        self._active_series = active_series
        self._after_ack = after_ack
        self._siblings = siblings
        siblings.provide(TOPIC, self._provide)

    async def of(self, tenant: str) -> View:
        """One tenant's; its report is empty where nothing was refused."""
        return await self._gather(f"tenant:{tenant}", [tenant])

    async def top(self, most: int) -> View:
        """The tenants of which most was refused, so many at most."""
        return await self._gather(f"top:{most}", None, most)

    async def _gather(self, argument: str, tenants: list[str] | None, most: int = 1) -> View:
        look = await self._after_ack.look()
        replies = await self._siblings.gather(TOPIC, argument)
        pages = [msgspec.convert(each.value, _Page) for each in replies if not each.problem]
        reports = {report.tenant: report for report in merge(report for page in pages for report in page.tenants)}
        if tenants is None:
            tenants = list(dict.fromkeys([*reports, *self._after_ack.tenants()[:most]]))
        since = min((page.since for page in pages), default=0)
        whole = (self._with_after_ack(reports.get(tenant) or TenantReport(tenant, since)) for tenant in tenants)
        ordered = sorted(whole, key=lambda each: (-each.samples, -each.shadow_samples, each.tenant))
        return View(
            tenants=tuple(ordered[:most]),
            count=max((len(ordered), *(page.count for page in pages))),
            forgotten=sum(page.forgotten for page in pages),
            after_ack=look,
            problems=tuple(f"process={each.process}: {each.problem}" for each in replies if each.problem),
        )

    def _with_after_ack(self, report: TenantReport) -> TenantReport:
        return msgspec.structs.replace(report, reasons=(*report.reasons, *self._after_ack.of(report.tenant)))

    async def _provide(self, argument: str) -> Any:
        kind, _, name = argument.partition(":")
        book = self._book
        tenants = book.top(int(name)) if kind == "top" else [name]
        reports = tuple(
            msgspec.structs.replace(book.report(tenant), active_series=self._active_series(tenant))
            for tenant in tenants
        )
        return msgspec.to_builtins(_Page(book.since, reports, len(book), book.forgotten))
