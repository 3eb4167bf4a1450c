"""The thread on which a gateway tells others of its tenants, and hears of theirs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from broker.usage_log import UsageLog
from forebay.clock import Clock
from gateway.active_series import ActiveSeries
from gateway.intake import Intake
from gateway.usage import Usage

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def add_usage(
    app: web.Application,
    open_log: Callable[[], UsageLog],
    *,
    intake: Intake,
    active: ActiveSeries,
    clock: Clock,
    logger: "FilteringBoundLogger",
    always: bool,
) -> None:
    """As long as `app` serves; what was told before is known when it begins to. `always`: see `Usage`."""

    async def share(_: web.Application) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def charge(spent: dict[str, int]) -> None:
            loop.call_soon_threadsafe(intake.charge, spent)

        usage = Usage(open_log, active, clock, charge=charge, logger=logger, always=always)
        await asyncio.to_thread(usage.catch_up)
        thread = threading.Thread(target=usage.run, name="usage", daemon=True)
        thread.start()
        intake.usage = usage
        yield
        usage.stop()
        await asyncio.to_thread(thread.join)

    app.cleanup_ctx.append(share)
