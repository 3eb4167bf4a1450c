"""What is told of rejections: one form for the API, for the page, and between the processes of one gateway."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

Stage = Literal["gateway", "consumer"]
"""Before the ack, or after it."""
MAX_EXAMPLES = 5


class Example(msgspec.Struct, frozen=True):
    series: str
    """Its labels as they were sent, shortened."""
    timestamp: int | None
    """Of the sample, ms; None where the whole series was refused."""
    time: int
    """When it was refused, ms."""


class ReasonReport(msgspec.Struct, frozen=True):
    """What became of one tenant's samples for one reason. Times in ms."""

    reason: str
    stage: Stage
    samples: int
    """Refused."""
    first_time: int
    last_time: int
    shadow_samples: int = 0
    """What a limit in shadow mode would have refused."""
    requests: int = 0
    """With such samples in them, or refused as a whole."""
    shadow_requests: int = 0
    examples: tuple[Example, ...] = ()
    """Newest first."""


class TenantReport(msgspec.Struct, frozen=True):
    tenant: str
    since: int
    """What the gateway counted is from then on, ms."""
    reasons: tuple[ReasonReport, ...] = ()
    active_series: int = 0
    """Of a tenant that has a limit of them, as the process knows that knows most."""

    @property
    def samples(self) -> int:
        return sum(each.samples for each in self.reasons)

    @property
    def shadow_samples(self) -> int:
        return sum(each.shadow_samples for each in self.reasons)

    @property
    def last_time(self) -> int:
        return max((each.last_time for each in self.reasons), default=0)


def merge(reports: Iterable[TenantReport]) -> list[TenantReport]:
    """What several processes of one gateway counted, added up, by tenant in order of samples, most first."""
    by_tenant: defaultdict[str, list[TenantReport]] = defaultdict(list)
    for report in reports:
        by_tenant[report.tenant].append(report)
    merged = [_merge_tenant(tenant, found) for tenant, found in by_tenant.items()]
    return sorted(merged, key=lambda each: (-each.samples, -each.shadow_samples, each.tenant))


def _merge_tenant(tenant: str, reports: list[TenantReport]) -> TenantReport:
    by_reason: defaultdict[tuple[str, Stage], list[ReasonReport]] = defaultdict(list)
    for report in reports:
        for each in report.reasons:
            by_reason[each.reason, each.stage].append(each)
    reasons = tuple(_merge_reason(found) for _, found in sorted(by_reason.items()))
    active_series = max(each.active_series for each in reports)
    return TenantReport(tenant, min(each.since for each in reports), reasons, active_series)


def _merge_reason(found: list[ReasonReport]) -> ReasonReport:
    examples = sorted((example for each in found for example in each.examples), key=lambda each: -each.time)
    return ReasonReport(
        reason=found[0].reason,
        stage=found[0].stage,
        samples=sum(each.samples for each in found),
        shadow_samples=sum(each.shadow_samples for each in found),
        requests=sum(each.requests for each in found),
        shadow_requests=sum(each.shadow_requests for each in found),
        first_time=min(each.first_time for each in found),
        last_time=max(each.last_time for each in found),
        examples=tuple(examples[:MAX_EXAMPLES]),
    )
