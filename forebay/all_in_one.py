r"""`forebay all-in-one`: every role in one process, on the embedded log and a bucket.

    HTTP -> gateway -> log -> consumer -> bucket <- compactor
                                 \_ heads _/
                                    query
Ends in the order of a sample's way: unready, no new connections, requests finish, the log's writer is flushed, the
consumer drains, the compactor ends.
"""

from contextlib import AsyncExitStack

from forebay import heap
from forebay import parts as part
from forebay.errors import Fatal
from forebay.feedback import add_feedback
from forebay.flags import LISTEN, Flags
from forebay.process import Process, run_role
from forebay.self_metrics import SelfMetrics
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import make_app
from gateway.app import INTAKE


def run(flags: Flags, settings: Settings) -> int:
    """Returns the exit code."""
    return run_role("all-in-one", flags, settings, start)


async def start(process: Process, parts: AsyncExitStack) -> None:
    """Starts every part; the stack ends them in reverse order."""
    heap.keep_freed()
    settings = process.settings
    bucket = await part.start_bucket(process, parts)
    log = await part.open_log(process)
    ending_log = parts.push_async_callback(log.close)
    part.start_compactor(process, parts, bucket)
    consumer = await part.start_consumer(process, parts, bucket)
    parts.push_async_callback(ending_log)  # again: the writer is flushed before the consumer drains

    app = make_app(process.registry, process.readiness, process.siblings)
    part.add_intake(process, app, log)
    add_feedback(process, parts, app, log, held=consumer.rejections)
    if settings.self_metrics.enabled:
        if not settings.tenancy.default_tenant:
            raise Fatal(
                "own metrics have no tenant to be written for: tenancy.default_tenant is empty",
                hint="set tenancy.default_tenant, or self_metrics: {enabled: false}",
            )
        own = SelfMetrics(
            process.registry,
            app[INTAKE],
            settings.tenancy.default_tenant,
            settings=settings.self_metrics,
            address=settings.web.listen_address or LISTEN["all-in-one"],
            clock=process.clock,
            logger=process.logger("self-metrics"),
        )
        own.start(process.fail)
        parts.push_async_callback(own.stop)
    part.add_query(process, app, bucket, consumer)
    status = Status(process, open_log=lambda: part.open_log_reader(process), bucket=bucket, consumed=consumer.status)
    await part.start_web(process, parts, app, status)
