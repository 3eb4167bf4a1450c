"""`forebay gateway`: takes remote-write in and appends it to the log. On an embedded log it is the one writer."""

from contextlib import AsyncExitStack

from forebay import parts as part
from forebay.feedback import add_feedback
from forebay.flags import Flags
from forebay.process import Process, run_role
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import make_app


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    return run_role("gateway", flags, settings, start)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Ends in this order: unready, no new connections, requests finish, the log's writer is flushed."""
    log = await part.open_log(process)
    parts.push_async_callback(log.close)
    app = make_app(process.registry, process.readiness)
    part.add_intake(process, app, log)
    add_feedback(process, parts, app, log)
    await part.start_web(process, parts, app, Status(process, open_log=lambda: part.open_log_reader(process)))
