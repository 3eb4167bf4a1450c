"""All-in-one writes its own metrics through its own gateway, so that there is real data from the first minute."""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from forebay.clock import Clock
from forebay.errors import Retryable
from forebay.own_request import STALE, Series, collect, encode
from forebay.settings import SelfMetricsSettings, host_and_port
from gateway.intake import Intake

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

JOB = "forebay"


class SelfMetrics:
    """One request every interval, by the way that every request takes from its decompressed body on."""

    def __init__(
        self,
        registry: CollectorRegistry,
        intake: Intake,
        tenant: str,
        *,
        settings: SelfMetricsSettings,
        address: str,
        clock: Clock,
        logger: "FilteringBoundLogger",
    ) -> None:
        host, port = host_and_port(address)
        self._target = {"job": JOB, "instance": settings.instance or f"{host or socket.gethostname()}:{port}"}
        self._registry = registry
        self._intake = intake
        self._tenant = tenant
        self._interval = settings.interval.seconds
        self._clock = clock
        self._logger = logger
        self._written: set[Series] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """`failed` is told of an error that is not the log's being unavailable."""
        self._task = asyncio.create_task(self._run())

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                failed(error)

        self._task.add_done_callback(ended)

    async def stop(self) -> None:
        """Ends every series with a stale marker, so that graphs end where the process did."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        await self._write({})

    async def _run(self) -> None:
        while True:
            await self._write(collect(self._registry, self._target))
            await asyncio.sleep(self._interval)

    async def _write(self, values: dict[Series, bytes]) -> None:
        """Series that were there before and are gone get a stale marker. What the log does not take is left out."""
        stale = dict.fromkeys(self._written - values.keys(), STALE)
        body = encode((values | stale).items(), self._clock.now_ms())
        try:
            await self._intake.append(self._tenant, self._intake.route(self._tenant, body))
        except Retryable as error:
            self._logger.warning("own metrics were not written", error=str(error))
            return
        self._written = set(values)
