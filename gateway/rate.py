"""Samples per second of each tenant: buckets of tokens that may go into debt."""

import math
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from forebay.clock import Clock
from forebay.errors import Retryable
from gateway.policy import TenantPolicy
from gateway.reasons import RATE_LIMITED
from gateway.rejections import Rejections
from gateway.tenant_state import TenantState, TenantStates
from gateway.token_bucket import TokenBucket

if TYPE_CHECKING:
    from wire.write_request import Routed

_LIMIT: Final = "samples_per_second"
_WEIGHT: Final = 0.2
"""Of the newest request, in the mean."""
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


class Arrival:
    """A `with` block of a request on its way; whoever comes after it waits for what it has to pay."""

    __slots__ = ("_owes", "_state", "begun")

    def __init__(self, state: TenantState | None = None) -> None:
        """Without a state it owes nobody anything."""
        self._state = state
        self._owes = False
        self.begun = False
        """Whether a part of it is stored: no rate refuses the rest."""

    def __enter__(self) -> Self:
        if self._state is not None:
            self._state.arriving += 1
            self._owes = True
        return self

    def paid(self) -> None:
        """It is in the bucket now, and must not count twice. May be called again."""
        if self._owes and self._state is not None:
            self._state.arriving -= 1
            self._owes = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.paid()


class Rates:
    """For one event loop."""

    def __init__(self, states: TenantStates, rejections: Rejections, clock: Clock) -> None:
        self._states = states
        self._rejections = rejections
        self._clock = clock

    def arrive(self, policy: TenantPolicy) -> Arrival:
        """Before anything of a request is read but its headers; the block is the rest of it.

        Those that arrived before have not paid yet: what they will pay counts, or all that come while one token is
        there would be let in, worked on, and refused.

        Raises:
            RateLimited: it has no hope.
        """
        limits, state = policy.limits, self._states.of(policy.tenant)
        if limits.samples_per_second and not limits.is_shadow(_LIMIT):
            wait = self._wait(policy, self._bucket(policy), state.arriving * state.request_samples)
            if wait:
                self._rejections.note_request(policy.tenant, RATE_LIMITED)
                raise RateLimited(policy, wait)
        return Arrival(state)

    def take(self, policy: TenantPolicy, samples: int, *, begun: bool = False) -> TokenBucket | None:
        """Pays for `samples`, which are about to be stored; the caller gives them back where they cannot be.

        The rest of a request that has `begun` is paid for in any case, by debt. None where there is nothing to
        give back. Raises RateLimited, and has taken nothing.
        """
        limits = policy.limits
        if not (limits.samples_per_second and samples):
            return None
        bucket, state = self._bucket(policy), self._states.of(policy.tenant)
        state.request_samples += (_WEIGHT if state.request_samples else 1.0) * (samples - state.request_samples)
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

    def _wait(self, policy: TenantPolicy, bucket: TokenBucket, ahead: float = 0.0) -> float:
        limits = policy.limits
        return bucket.wait(limits.samples_per_second, limits.burst, self._clock.monotonic(), ahead)
