"""From a decompressed body to durable records: what every way in (HTTP, the process' own metrics) goes through."""

import asyncio
from typing import TYPE_CHECKING

from broker.log import LogUnavailable, LogWriter, NewRecord
from broker.record import Replica, new_headers
from forebay.clock import Clock
from forebay.errors import Forbidden, InvalidData, Retryable
from gateway.limits import LimitSettings
from gateway.live_trial import LiveTrial, Shown
from gateway.metrics import GatewayMetrics
from gateway.policy import Policies, TenantPolicy
from gateway.rate import Rates
from gateway.reasons import BODY_TOO_LARGE, MALFORMED, REQUEST_TOO_LARGE
from gateway.rejections import Rejections
from gateway.settings import GatewaySettings
from gateway.tenant_state import TenantStates
from wire.snappy import BodyTooLarge
from wire.write_request import Routed

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


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
    ) -> None:
        self.log = log
        self._clock = clock
        self._policies = policies
        self.tenants = TenantStates()
        self.trial = LiveTrial(clock)
        self.rejections = Rejections(clock, metrics, logger)
        self._rates = Rates(self.tenants, self.rejections, clock)
        self._timeout = settings.append_timeout.seconds
        self._metrics = metrics
        self._headers = new_headers()

    def limits(self, tenant: str) -> LimitSettings:
        """Those in force for a tenant."""
        return self._policy(tenant).limits

    def check(self, tenant: str, size: int | None) -> None:
        """Before anything of a request is read but its headers, which may declare its size.

        Raises:
            RateLimited: nothing of it would be stored.
            BodyTooLarge: as `check_size`.
        """
        self._rates.check(self._policy(tenant))
        if size is not None:
            self.check_size(tenant, size)

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

    def route(self, tenant: str, body: bytes | bytearray | memoryview, *, message: int = 1) -> Routed:
        """Walks a body of remote-write 1.0 or, as `message` 2, 2.0, without the GIL. Raises InvalidData at others."""
        now = self._clock.now_ms()
        self.trial.show(Shown(tenant, body, now, message))
        return self._policy(tenant).route(body, now, message)

    async def append(self, tenant: str, routed: Routed) -> None:
        """The good series are durable in every partition when it returns; what was refused is counted then, too.

        Raises:
            RateLimited: nothing of it is stored.
            LogFull, LogUnavailable: the whole request must be sent again.
            LogCorrupt: the log cannot go on.
        """
        metrics = self._metrics
        samples = routed.samples + routed.histograms
        paid = self._rates.take(self._policy(tenant), samples)
        if routed.records:
            key, headers = tenant.encode(), self._headers
            named = {number: new_headers(Replica(*replica)) for number, replica in routed.replicas.items()}
            records = [
                NewRecord(partition, key, value, named.get(number, headers))
                for number, (partition, value) in enumerate(routed.records)
            ]
            started = self._clock.monotonic()
            try:
                await self._confirmed(records)
            except Retryable:
                if paid:
                    paid.give_back(samples)  # they come again, and are paid for then
                raise
            metrics.append_seconds.observe(self._clock.monotonic() - started)
            metrics.records.inc(len(records))
            metrics.record_bytes.inc(sum(len(value) for _, value in routed.records))
        state = self.tenants.of(tenant)
        state.last_ms = self._clock.now_ms()
        state.samples += samples
        metrics.series.inc(routed.series)
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

    async def _confirmed(self, records: list[NewRecord]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self.log.append(records)
        except TimeoutError as error:
            raise LogUnavailable(
                f"log did not confirm in time: timeout={self._timeout:g}s backlog_bytes={self.log.backlog_bytes()}",
                hint="see forebay_gateway_append_duration_seconds, and the disk or brokers behind the log",
            ) from error

    def _policy(self, tenant: str) -> TenantPolicy:
        return self._policies.of(tenant, self.log.partitions)
