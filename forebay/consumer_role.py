"""`forebay consumer`: turns the log into blocks in the bucket, and answers reads of heads and bucket."""

from contextlib import AsyncExitStack

from forebay import parts as part
from forebay.flags import Flags
from forebay.process import Process, run_role
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import make_app


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    return run_role("consumer", flags, settings, start)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Ends in this order: unready, no new connections, queries finish, segments on their way are published."""
    bucket = await part.start_bucket(process, parts)
    consumer = await part.start_consumer(process, parts, bucket)
    app = make_app(process.registry, process.readiness, process.siblings)
    part.add_query(process, app, bucket, consumer)
    await part.start_web(
        process,
        parts,
        app,
        Status(process, open_log=lambda: part.open_log_reader(process), bucket=bucket, consumed=consumer.status),
    )
