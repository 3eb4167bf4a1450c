"""Puts the gateway together: components in, HTTP routes out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from broker.log import LogWriter
from broker.usage_log import UsageLog
from forebay.clock import Clock
from forebay.errors import Fatal
from gateway.active_series import ActiveSeries
from gateway.division import Division
from gateway.gate import Gate
from gateway.handler import Components
from gateway.in_flight import InFlight
from gateway.intake import Intake
from gateway.label_tables import LabelTables
from gateway.metrics import GatewayMetrics
from gateway.otlp.handler import PATH as OTLP_PATH
from gateway.otlp.handler import OtlpHandler
from gateway.otlp.settings import OtlpSettings
from gateway.policy import Policies
from gateway.reasons import GATEWAY_REASONS
from gateway.settings import GatewaySettings, TenancySettings
from gateway.siblings import Siblings
from gateway.tenant import TenantReader
from gateway.usage_thread import add_usage
from gateway.write import WriteHandler

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

INTAKE: Final = web.AppKey("INTAKE", Intake)
IN_FLIGHT: Final = web.AppKey("IN_FLIGHT", InFlight)
SERVER_OPTIONS: Final[dict[str, Any]] = {
    "auto_decompress": False,  # a gzip bomb must be refused before it is inflated
    "lingering_time": 2.0,  # seconds that the rest of a refused body is read and thrown away
    "handler_cancellation": False,  # a sender that goes away must not cancel an append
}
"""How aiohttp must serve an application that has a gateway."""
FORGET_SECONDS: Final = 5.0
PATHS: Final = ("/api/v1/write", "/api/v1/receive")


def add_gateway(
    app: web.Application,
    log: LogWriter,
    *,
    settings: GatewaySettings,
    policies: Policies,
    tenancy: TenancySettings,
    otlp: OtlpSettings,
    clock: Clock,
    registry: CollectorRegistry,
    logger: "FilteringBoundLogger",
    stop: Callable[[Fatal], None],
    siblings: Siblings | None = None,
    open_usage: Callable[[], UsageLog] | None = None,
    labels: LabelTables | None = None,
) -> None:
    """Adds the write routes to `app`, which must be served with SERVER_OPTIONS.

    Limits are shared with the gateways that `open_usage` leads to; without it, or where it fails, among `siblings`.
    Records are of version 2 where there are `labels`.

    `log` stays the caller's to close, after the application was cleaned up. `stop` is called, from the event loop, with
    an error of the log after which the process cannot go on.
    """
    in_flight = InFlight(settings.in_flight_bytes)
    active = ActiveSeries(
        clock,
        memory=settings.active_series_memory,
        window_ms=settings.active_series_window,
        logger=logger,
        shared=open_usage is not None,
    )
    metrics = GatewayMetrics(
        registry,
        log_id=log.log_id,
        reasons=GATEWAY_REASONS,
        in_flight_bytes=lambda: in_flight.bytes,
        in_flight_requests=lambda: in_flight.requests,
        backlog_bytes=log.backlog_bytes,
        partitions=lambda: log.partitions,
        active_series=active.count,
        active_series_bytes=lambda: active.memory,
        sharing_gateways=lambda: intake.usage.sharing if intake.usage else 0,
        **(labels.gauges if labels else {}),
    )
    division = Division(tenancy.split_label, 2 * settings.max_body_bytes) if tenancy.split_label else None
    intake = Intake(
        log,
        clock,
        policies=policies,
        settings=settings,
        metrics=metrics,
        active=active,
        logger=logger,
        division=division,
        siblings=siblings,
        labels=labels,
    )
    executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="route")
    tenants, gate = TenantReader(tenancy), Gate(settings, log, metrics)
    components = Components(
        intake=intake,
        tenants=tenants,
        settings=settings,
        in_flight=in_flight,
        gate=gate,
        executor=executor,
        clock=clock,
        metrics=metrics,
        stop=stop,
    )
    handler, otlp_handler = WriteHandler(components), OtlpHandler(otlp, components)

    async def write(request: web.Request) -> web.Response:
        return await handler(request)

    async def export(request: web.Request) -> web.Response:
        return await otlp_handler(request)

    async def forget_series(_: web.Application) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(_forget(active.advance, FORGET_SECONDS))
        yield
        forgetting.cancel()

    async def spend_together(_: web.Application) -> AsyncIterator[None]:
        spending = asyncio.create_task(intake.spending.run())
        yield
        spending.cancel()

    async def end_threads(_: web.Application) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(executor.shutdown)

    for path in PATHS:
        app.router.add_post(path, write)
    app.router.add_post(OTLP_PATH, export)
    app.cleanup_ctx.append(end_threads)
    app.cleanup_ctx.append(forget_series)
    if labels is not None:
        app.cleanup_ctx.append(_forget_labels(labels))
    if open_usage is not None:
        add_usage(
            app,
            open_usage,
            intake=intake,
            active=active,
            clock=clock,
            logger=logger,
            always=policies.any_shared,
        )
    if siblings is not None and siblings.processes > 1:
        app.cleanup_ctx.append(spend_together)
    app[INTAKE] = intake
    app[IN_FLIGHT] = in_flight


def _forget_labels(labels: LabelTables) -> Callable[[web.Application], AsyncIterator[None]]:
    async def forget_labels(_: web.Application) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(_forget(labels.sweep, labels.sweep_seconds))
        yield
        forgetting.cancel()

    return forget_labels


async def _forget(forget: Callable[[], None], seconds: float) -> None:
    """What is too old, every so often until it is cancelled."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(forget)
