"""From a decompressed body to durable records: what every way in (HTTP, the process' own metrics) goes through."""

import asyncio
from typing import TYPE_CHECKING

from broker.log import LogUnavailable, LogWriter, NewRecord
from broker.record import Replica, new_headers
from forebay.clock import Clock
from gateway.limits import LimitSettings
from gateway.metrics import GatewayMetrics
from gateway.policy import Policies
from gateway.rejections import Rejections
from gateway.settings import GatewaySettings
from gateway.tenant_state import TenantStates
from wire.write_request import Routed

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


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
        self.rejections = Rejections(clock, metrics, logger)
        self._timeout = settings.append_timeout.seconds
        self._metrics = metrics
        self._headers = new_headers()

    def limits(self, tenant: str) -> LimitSettings:
        """Those in force for a tenant."""
        return self._policies.of(tenant, self.log.partitions).limits

    def route(self, tenant: str, body: bytes | bytearray | memoryview) -> Routed:
        """Walks a remote-write 1.0 body without the GIL. Raises InvalidData where it is not one."""
        now = self._clock.now_ms()
        policy = self._policies.of(tenant, self.log.partitions)
        limits = policy.limits
        return policy.router.route(
            body, policy.seed, now - limits.max_age, now + limits.max_future, name_replicas=policy.name_replicas
        )

    async def append(self, tenant: str, routed: Routed) -> None:
        """The good series are durable in every partition when it returns; what was refused is counted then, too.

        Raises:
            LogFull, LogUnavailable: the whole request must be sent again.
            LogCorrupt: the log cannot go on.
        """
        metrics = self._metrics
        if routed.records:
            key, headers = tenant.encode(), self._headers
            named = {number: new_headers(Replica(*replica)) for number, replica in routed.replicas.items()}
            records = [
                NewRecord(partition, key, value, named.get(number, headers))
                for number, (partition, value) in enumerate(routed.records)
            ]
            started = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._timeout):
                    await self.log.append(records)
            except TimeoutError as error:
                raise LogUnavailable(
                    f"log did not confirm in time: timeout={self._timeout:g}s backlog_bytes={self.log.backlog_bytes()}",
                    hint="see forebay_gateway_append_duration_seconds, and the disk or brokers behind the log",
                ) from error
            metrics.append_seconds.observe(self._clock.monotonic() - started)
            metrics.records.inc(len(records))
            metrics.record_bytes.inc(sum(len(value) for _, value in routed.records))
        state = self.tenants.of(tenant)
        state.last_ms = self._clock.now_ms()
        state.samples += routed.samples + routed.histograms
        metrics.series.inc(routed.series)
        metrics.floats.inc(routed.samples)
        if routed.histograms:
            metrics.histograms.inc(routed.histograms)
        if routed.exemplars:
            metrics.exemplars.inc(routed.exemplars)
        if routed.metadata:
            metrics.metadata.inc(routed.metadata)
        if routed.unnamed:
            metrics.unnamed.inc(routed.unnamed)
        self.rejections.note(tenant, routed)
