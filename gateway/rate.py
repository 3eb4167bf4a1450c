"""Samples per second of each tenant: buckets of tokens that may go into debt."""

import math
from typing import TYPE_CHECKING, Final

from forebay.clock import Clock
from forebay.errors import Retryable
from gateway.policy import TenantPolicy
from gateway.reasons import RATE_LIMITED
from gateway.rejections import Rejections
from gateway.tenant_state import TenantStates
from gateway.token_bucket import TokenBucket

if TYPE_CHECKING:
    from wire.write_request import Routed

_LIMIT: Final = "samples_per_second"
_RETRY_SECONDS: Final = (1, 60)
"""The least and the most that a sender is told to wait: the limit may be raised meanwhile."""


class RateLimited(Retryable):
    """429: the tenant has sent more than it may; nothing of what the request holds of it is stored."""

    def __init__(self, policy: TenantPolicy, wait: float) -> None:
        least, most = _RETRY_SECONDS
        self.stored: Routed | None = None
        """What the request held of other tenants; it was stored."""
        self.retry_after = min(most, max(least, math.ceil(wait)))
        super().__init__(
            f"too many samples: tenant={policy.tenant} samples_per_second={policy.limits.samples_per_second:g}",
            hint="retry later (Prometheus: retry_on_http_429), scrape less, or raise limits.samples_per_second",
        )


class Rates:
    """For one event loop."""

    def __init__(self, states: TenantStates, rejections: Rejections, clock: Clock) -> None:
        self._states = states
        self._rejections = rejections
        self._clock = clock

    def check(self, policy: TenantPolicy) -> None:
        """Before anything of a request is read but its headers: raises RateLimited where it has no hope."""
        limits = policy.limits
        if limits.samples_per_second and not limits.is_shadow(_LIMIT):
            wait = self._wait(policy, self._bucket(policy))
            if wait:
                self._rejections.note_request(policy.tenant, RATE_LIMITED)
                raise RateLimited(policy, wait)

    def take(self, policy: TenantPolicy, samples: int, *, begun: bool = False) -> TokenBucket | None:
        """Pays for `samples`, which are about to be stored; the caller gives them back where they cannot be.

        The rest of a request that has `begun` is paid for in any case, by debt. None where there is nothing to
        give back. Raises RateLimited, and has taken nothing.
        """
        limits = policy.limits
        if not (limits.samples_per_second and samples):
            return None
        bucket = self._bucket(policy)
        wait = self._wait(policy, bucket)
        if begun or not wait:
            bucket.take(samples)
            return bucket
        shadow = limits.is_shadow(_LIMIT)
        self._rejections.note_request(policy.tenant, RATE_LIMITED, samples, shadow=shadow)
        if shadow:
            return None
        raise RateLimited(policy, wait)

    def charge(self, policy: TenantPolicy, samples: int) -> None:
        """For what was stored of the tenant elsewhere."""
        if policy.limits.samples_per_second:
            bucket = self._bucket(policy)
            self._wait(policy, bucket)
            bucket.take(samples)

    def _bucket(self, policy: TenantPolicy) -> TokenBucket:
        state = self._states.of(policy.tenant)
        if state.bucket is None:
            state.bucket = TokenBucket(self._clock.monotonic())
        return state.bucket

    def _wait(self, policy: TenantPolicy, bucket: TokenBucket) -> float:
        return bucket.wait(policy.limits.samples_per_second, policy.limits.burst, self._clock.monotonic())
