"""What a trial of limits found, and how several of them add up."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from gateway.rejections_report import TenantReport, merge


class TrialTenant(msgspec.Struct, frozen=True):
    """One tenant in a trial."""

    report: TenantReport
    """What would have been refused."""
    requests: int
    """That were judged; in a replay of the log, records."""
    samples: int
    """In them."""
    dropped: int = 0
    """By relabel rules."""

    @property
    def is_cut(self) -> bool:
        """Whether anything would have been refused, shadow aside."""
        return any(each.requests for each in self.report.reasons)

    @property
    def share(self) -> float:
        """Of its samples that would have been refused."""
        return self.report.samples / self.samples if self.samples else 0.0


class TrialReport(msgspec.Struct, frozen=True):
    tenants: tuple[TrialTenant, ...]
    """Most refused samples first."""
    undecodable: int = 0
    """Requests or records that are none; they were not judged."""
    skipped: int = 0
    """Requests that were not judged, for want of time."""

    @property
    def cut(self) -> list[TrialTenant]:
        """Tenants that something would have been refused of."""
        return [each for each in self.tenants if each.is_cut]

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.tenants)

    @property
    def samples(self) -> int:
        return sum(each.samples for each in self.tenants)

    @property
    def refused(self) -> int:
        """Samples."""
        return sum(each.report.samples for each in self.tenants)


def add_up(reports: Iterable[TrialReport]) -> TrialReport:
    """Of several processes, or gateways."""
    by_tenant: defaultdict[str, list[TrialTenant]] = defaultdict(list)
    undecodable = skipped = 0
    for report in reports:
        undecodable, skipped = undecodable + report.undecodable, skipped + report.skipped
        for each in report.tenants:
            by_tenant[each.report.tenant].append(each)
    tenants = (
        TrialTenant(
            merge(each.report for each in found)[0],
            sum(each.requests for each in found),
            sum(each.samples for each in found),
            sum(each.dropped for each in found),
        )
        for found in by_tenant.values()
    )
    return TrialReport(in_order(tenants), undecodable, skipped)


def in_order(tenants: Iterable[TrialTenant]) -> tuple[TrialTenant, ...]:
    """Most refused samples first, then most in shadow mode, then by name."""

    def key(each: TrialTenant) -> tuple[int, int, str]:
        return -each.report.samples, -each.report.shadow_samples, each.report.tenant

    return tuple(sorted(tenants, key=key))
