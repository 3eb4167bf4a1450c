"""A dry run of limits: what a gateway that enforced them would have refused of requests that are shown to it.

It goes through the same router, buckets and rules as a request does, and keeps nothing of what it is shown but counts.
"""

import threading

import structlog

from forebay.errors import InvalidData
from gateway.active_series import ActiveSeries
from gateway.policy import Policies, TenantPolicy
from gateway.reasons import RATE_LIMITED, REQUEST_TOO_LARGE
from gateway.rejection_book import RejectionBook
from gateway.tenant_labels import OTHERS
from gateway.token_bucket import TokenBucket
from gateway.trial_report import TrialReport, TrialTenant, in_order
from wire.write_request import Routed

MAX_TENANTS = 20_000
"""Counted by name; those beyond are counted together, and their rates as if they were one."""
MAX_BYTES = 256 << 20
"""Of what is told of them, as of a RejectionBook."""


class _Tenant:
    """What is remembered of one tenant."""

    __slots__ = ("bucket", "dropped", "requests", "samples")

    def __init__(self, now: float) -> None:
        self.bucket = TokenBucket(now)
        self.requests = 0
        self.samples = 0
        self.dropped = 0


class _Moment:
    """The clock of a trial: it is as late as the latest request that was shown."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return self.at_ms / 1000


class Trial:
    """Thread-safe; one request is judged at a time, without the GIL where it is routed."""

    def __init__(
        self,
        policies: Policies,
        partitions: int,
        since: int,
        *,
        max_tenants: int = MAX_TENANTS,
        max_bytes: int = MAX_BYTES,
        active_window_ms: int = 20 * 60_000,
        active_memory: int = MAX_BYTES,
    ) -> None:
        """`since` is the time of the first request that it will be shown, ms; the last two are of ActiveSeries."""
        self._policies = policies
        self._partitions = partitions
        self._book = RejectionBook(since, max_bytes)
        self._tenants: dict[str, _Tenant] = {}
        self._max_tenants = max_tenants
        self._clock = _Moment(since)
        silent = structlog.wrap_logger(structlog.ReturnLogger())
        self._active = ActiveSeries(self._clock, memory=active_memory, window_ms=active_window_ms, logger=silent)
        self._lock = threading.Lock()
        self._undecodable = 0

    def judge(
        self,
        tenant: str,
        body: bytes | bytearray | memoryview,
        at_ms: int,
        *,
        message: int = 1,
        received_bytes: int = 0,
    ) -> None:
        """One request, or record, that came at `at_ms`; `message` as for `TenantPolicy.route`.

        `received_bytes` is its compressed size, 0 where that is not known.

        Times may go back, as a log's do; a bucket is not filled twice by that.
        """
        policy = self._policies.of(tenant, self._partitions)
        with self._lock:
            self._clock.at_ms = max(self._clock.at_ms, at_ms)
            found = self._tenant(tenant)
            refused = self._refused_unread(policy, found, received_bytes)
            taken = all(shadow for _, shadow in refused)
            counted = taken and tenant in self._tenants
            active = self._active.of(tenant, policy.limits.max_active_series) if counted else None
            try:
                routed = policy.route(body, at_ms, message, active)
            except InvalidData:
                self._undecodable += 1
            else:
                self._count(policy, found, routed, refused, at_ms)

    def report(self) -> TrialReport:
        """So far."""
        with self._lock:
            tenants = [
                TrialTenant(self._book.report(name), each.requests, each.samples, each.dropped)
                for name, each in self._tenants.items()
            ]
            return TrialReport(in_order(tenants), self._undecodable)

    def _count(
        self, policy: TenantPolicy, found: _Tenant, routed: Routed, refused: list[tuple[str, bool]], at_ms: int
    ) -> None:
        samples = routed.samples + routed.histograms + routed.dropped + sum(routed.rejected.values())
        found.requests += 1
        found.samples += samples
        found.dropped += routed.dropped
        name = policy.tenant if policy.tenant in self._tenants else OTHERS
        for reason, shadow in refused:
            self._book.note_request(name, reason, samples, at_ms, shadow=shadow)
        if all(shadow for _, shadow in refused):
            self._take(policy, found, routed)
            self._book.note(name, routed, at_ms)

    def _tenant(self, tenant: str) -> _Tenant:
        found = self._tenants.get(tenant)
        if found is None:
            name = tenant if len(self._tenants) < self._max_tenants else OTHERS
            found = self._tenants.setdefault(name, _Tenant(self._clock.monotonic()))
        return found

    def _refused_unread(self, policy: TenantPolicy, found: _Tenant, received_bytes: int) -> list[tuple[str, bool]]:
        """Reasons to refuse the request as a whole, and whether each only counts."""
        limits = policy.limits
        reasons = []
        if limits.samples_per_second and found.bucket.wait(
            limits.samples_per_second, limits.burst, self._clock.monotonic()
        ):
            reasons.append((RATE_LIMITED, limits.is_shadow("samples_per_second")))
        if limits.max_request_bytes and received_bytes > limits.max_request_bytes:
            reasons.append((REQUEST_TOO_LARGE, limits.is_shadow("max_request_bytes")))
        enforced = [each for each in reasons if not each[1]]
        return enforced[:1] or reasons

    def _take(self, policy: TenantPolicy, found: _Tenant, routed: Routed) -> None:
        limits = policy.limits
        if limits.samples_per_second and not found.bucket.wait(
            limits.samples_per_second, limits.burst, self._clock.monotonic()
        ):
            found.bucket.take(routed.samples + routed.histograms)
