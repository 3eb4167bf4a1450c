"""`forebay gateway`: takes remote-write in and appends it to the log. On an embedded log it is the one writer."""

import asyncio
from contextlib import AsyncExitStack

from broker.open import open_writer
from forebay import parts as part
from forebay.flags import Flags
from forebay.process import Process, run_role
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import make_app
from gateway.app import add_gateway


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    return run_role("gateway", flags, settings, start)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Ends in this order: unready, no new connections, requests finish, the log's writer is flushed."""
    settings = process.settings
    log = await asyncio.to_thread(open_writer, settings.broker, part.log_directory(process), process.clock)
    process.readiness.require("log", lambda: log.problem)
    parts.push_async_callback(log.close)
    app = make_app(process.registry, process.readiness)
    add_gateway(
        app,
        log,
        settings=settings.gateway,
        limits=settings.limits,
        tenancy=settings.tenancy,
        clock=process.clock,
        registry=process.registry,
        stop=process.fail,
    )
    await part.start_web(process, parts, app, Status(process, open_log=lambda: part.open_log_reader(process)))
