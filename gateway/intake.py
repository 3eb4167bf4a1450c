"""From a decompressed body to durable records: what every way in (HTTP, the process' own metrics) goes through."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from broker.log import LogWriter
from forebay.clock import Clock
from forebay.errors import Forbidden, InvalidData, Retryable
from gateway.active_series import ActiveSeries
from gateway.appender import Appender
from gateway.division import Division, beyond, summed
from gateway.label_tables import LabelTables
from gateway.limits import LimitSettings
from gateway.live_trial import LiveTrial, Shown
from gateway.metrics import GatewayMetrics
from gateway.policy import Policies, TenantPolicy
from gateway.principal import ANONYMOUS
from gateway.rate import Arrival, RateLimited, Rates
from gateway.reasons import BODY_TOO_LARGE, MALFORMED, REQUEST_TOO_LARGE
from gateway.rejections import Rejections
from gateway.settings import GatewaySettings
from gateway.siblings import Alone, Siblings
from gateway.spending import Spending
from gateway.tenant_state import TenantStates
from gateway.token_bucket import TokenBucket
from wire.snappy import BodyTooLarge
from wire.write_request import Routed

_Paid = tuple[str, Routed, TokenBucket | None]
"""A tenant, what is stored for it, and the bucket that has paid."""

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from gateway.usage import Usage


class RequestTooLarge(BodyTooLarge):
    """For its tenant."""


class Intake:
    """Validates, routes and appends. Safe to use from one event loop; `route` from any thread."""

    def __init__(
        self,
        log: LogWriter,
        clock: Clock,
        *,
        policies: Policies,
        settings: GatewaySettings,
        metrics: GatewayMetrics,
        logger: "FilteringBoundLogger",
        active: ActiveSeries | None = None,
        division: Division | None = None,
        siblings: Siblings | None = None,
        labels: LabelTables | None = None,
    ) -> None:
        """Records are of version 2 where there are `labels`, else of version 1."""
        self.log = log
        self._clock = clock
        self._policies = policies
        self._division = division
        self.tenants = TenantStates()
        self._active = active
        self.usage: Usage | None = None
        """Who hears what was stored here, of tenants that have a rate."""
        self.trial = LiveTrial(clock)
        self.rejections = Rejections(clock, metrics, logger)
        self._rates = Rates(self.tenants, self.rejections, clock)
        self.spending = Spending(siblings or Alone(), self._charge_by_sibling)
        self._metrics = metrics
        self._labels = labels
        self._appender = Appender(log, settings.append_timeout.seconds, metrics, labels)

    @property
    def copies(self) -> int:
        """How many times a body is in memory meanwhile: itself, the records made of it, and its parts."""
        return 2 if self._division is None else 3

    def limits(self, tenant: str) -> LimitSettings:
        """Those in force for a tenant."""
        return self._policy(tenant).limits

    def active_series(self, tenant: str) -> int:
        """As this process knows them; 0 of a tenant without a limit of them."""
        return self._active.count_of(tenant) if self._active else 0

    def arrive(self, tenant: str, size: int | None) -> Arrival:
        """Before anything of a request is read but its headers, which may declare its size; the block is all the rest.

        Raises:
            RateLimited: nothing of it would be stored.
            BodyTooLarge: as `check_size`.
        """
        # Where series name their tenants, nobody knows yet whose they are.
        arrival = Arrival() if self._division else self._rates.arrive(self._policy(tenant))
        if size is not None:
            self.check_size(tenant, size)
        return arrival

    def check_size(self, tenant: str, size: int) -> None:
        """Once for each body, as soon as its compressed size is known. Raises BodyTooLarge."""
        limits = self._policy(tenant).limits
        if limits.max_request_bytes and size > limits.max_request_bytes:
            shadow = limits.is_shadow("max_request_bytes")
            self.rejections.note_request(tenant, REQUEST_TOO_LARGE, shadow=shadow)
            if not shadow:
                raise RequestTooLarge(
                    f"body is too large for this tenant: bytes={size} tenant={tenant} limit={limits.max_request_bytes}",
                    hint="send fewer samples a request (max_samples_per_send), or raise limits.max_request_bytes",
                )

    def note_refused(self, tenant: str, error: BaseException) -> None:
        """Of a request that was refused as a whole, for what its body is; of others nothing."""
        if not tenant or isinstance(error, RequestTooLarge | Forbidden) or not isinstance(error, InvalidData):
            return
        reason = BODY_TOO_LARGE if isinstance(error, BodyTooLarge) else MALFORMED
        self.rejections.note_request(tenant, reason, problem=error.args[0])

    def route(
        self,
        tenant: str,
        body: bytes | bytearray | memoryview,
        *,
        message: int = 1,
        allows: Callable[[str], bool] = ANONYMOUS.allows,
    ) -> Routed:
        """Walks a body of remote-write 1.0 or, as `message` 2, 2.0, without the GIL.

        Where a label names the tenants of series, only those that the sender `allows` are taken.

        Raises:
            InvalidData: it is no such body.
        """
        now = self._clock.now_ms()

        def of_one(tenant: str, body: bytes | bytearray | memoryview) -> Routed:
            self.trial.show(Shown(tenant, body, now, message))
            partitions = self.log.partitions
            policy = self._policies.of(tenant, partitions)
            active = self._active.of(tenant, policy.limits.max_active_series) if self._active else None
            if self._labels is not None:
                return self._labels.route(policy, partitions, (body, now, message, active))
            return policy.route(body, now, message, active)

        if self._division is None:
            return of_one(tenant, body)
        return self._division.route(tenant, body, message, allows, of_one)

    async def append(self, tenant: str, routed: Routed, arrival: Arrival | None = None) -> None:
        """The good series are durable in every partition when it returns; what was refused is counted then, too.

        `arrival` is what `arrive` returned for the request, which may be appended in several parts.

        Raises:
            RateLimited: nothing of the tenant that it names is stored; what there is of others is.
            LogFull, LogUnavailable: the whole request must be sent again.
            LogCorrupt: the log cannot go on.
        """
        arrival = arrival or Arrival()
        paid, limited = self._pay(routed.parts or ((tenant, routed),), begun=arrival.begun)
        arrival.paid()
        if limited is not None and not paid:
            raise limited
        parts = [(tenant, part) for tenant, part, _ in paid]
        if any(part.records for _, part in parts):
            started = self._clock.monotonic()
            try:
                await self._appender.append(parts)
            except Retryable:
                for _, part, bucket in paid:
                    if bucket is not None:
                        bucket.give_back(_samples(part))  # they come again, and are paid for then
                raise
            self._metrics.append_seconds.observe(self._clock.monotonic() - started)
        arrival.begun = True
        for owner, part, bucket in paid:
            self._count(owner, part)
            if bucket is not None:
                self._note_spent(owner, _samples(part))
        if routed.parts:
            self.rejections.note(tenant, beyond(routed))
        if limited is not None:
            limited.stored = summed([part for _, part, _ in paid])
            raise limited

    def _pay(self, parts: Sequence[tuple[str, Routed]], *, begun: bool) -> tuple[list[_Paid], RateLimited | None]:
        """The parts that may be stored, and why others may not."""
        paid: list[_Paid] = []
        limited = None
        for tenant, part in parts:
            try:
                paid.append((tenant, part, self._rates.take(self._policy(tenant), _samples(part), begun=begun)))
            except RateLimited as error:
                limited = error
        return paid, limited

    def _count(self, tenant: str, routed: Routed) -> None:
        """Of one tenant, once it is durable."""
        metrics = self._metrics
        state = self.tenants.of(tenant)
        state.last_ms = self._clock.now_ms()
        state.samples += _samples(routed)
        metrics.series.inc(routed.series)
        if routed.labels is not None and routed.labels.labelled:
            metrics.labelled.inc(routed.labels.labelled)
        metrics.floats.inc(routed.samples)
        if routed.histograms:
            metrics.histograms.inc(routed.histograms)
        if routed.exemplars:
            metrics.exemplars.inc(routed.exemplars)
        if routed.metadata:
            metrics.metadata.inc(routed.metadata)
        if routed.dropped:
            metrics.dropped.inc(routed.dropped)
        if routed.unnamed:
            metrics.unnamed.inc(routed.unnamed)
        self.rejections.note(tenant, routed)

    def _note_spent(self, tenant: str, samples: int) -> None:
        self.spending.note(tenant, samples)
        if self.usage is not None:
            self.usage.note(tenant, samples)

    def charge(self, spent: Mapping[str, int]) -> None:
        """For samples that other gateways have stored, by tenant."""
        for tenant, samples in spent.items():
            self._charge(tenant, samples)

    def _charge_by_sibling(self, tenant: str, samples: int) -> None:
        """Only where it is not heard of by the log, too."""
        if self.usage is None or not self.usage.sharing:
            self._charge(tenant, samples)

    def _charge(self, tenant: str, samples: int) -> None:
        self._rates.charge(self._policy(tenant), samples)

    def _policy(self, tenant: str) -> TenantPolicy:
        return self._policies.of(tenant, self.log.partitions)


def _samples(routed: Routed) -> int:
    return routed.samples + routed.histograms
