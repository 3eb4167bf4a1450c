"""`forebay gateway`: takes remote-write in and appends it to the log. On an embedded log it is the one writer.

With --web.processes=N it is a supervisor that runs the same command N times behind one port.
"""

from contextlib import AsyncExitStack

from forebay import heap
from forebay import parts as part
from forebay.feedback import add_feedback
from forebay.flags import Flags
from forebay.logs import get_logger
from forebay.process import Process, run_role
from forebay.registry import make_registry
from forebay.settings import Settings
from forebay.status import Status
from forebay.supervisor import supervise
from forebay.web import make_app
from forebay.worker import Worker


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    worker = Worker.of_environment()
    if worker is None and settings.web.processes > 1:
        return supervise(settings, make_registry("gateway"), get_logger("supervisor"))
    if worker is not None:
        settings = settings.share(worker.processes)
    return run_role("gateway", flags, settings, start, worker)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Ends in this order: unready, no new connections, requests finish, the log's writer is flushed."""
    heap.keep_freed()
    log = await part.open_log(process)
    parts.push_async_callback(log.close)
    app = make_app(process.registry, process.readiness, process.siblings)
    part.add_intake(process, app, log)
    add_feedback(process, parts, app, log)
    await part.start_web(process, parts, app, Status(process, open_log=lambda: part.open_log_reader(process)))
