"""`forebay compactor`: merges the bucket's blocks, and cleans up."""

from contextlib import AsyncExitStack

from forebay import parts as part
from forebay.flags import Flags
from forebay.process import Process, run_role
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import make_app


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    return run_role("compactor", flags, settings, start)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Ends in this order: unready, no new connections, the job at hand."""
    bucket = await part.start_bucket(process, parts)
    compactor = part.start_compactor(process, parts, bucket)
    process.readiness.require("compactor", lambda: compactor.problem)
    app = make_app(process.registry, process.readiness, process.siblings)
    await part.start_web(process, parts, app, Status(process, bucket=bucket))
