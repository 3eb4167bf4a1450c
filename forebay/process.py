"""The life of a role's process: start its parts, serve until a signal or a failure, end them in order.

How it may go:

start --Fatal--> exit 3          serve --signal--> drain --> exit 0
start --signal, and log or bucket do not answer--> exit 0
                                 serve --a part fails--> drain --> exit 1, the hint in the last log line
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from forebay.clock import Clock, SystemClock
from forebay.errors import ForebayError, Retryable
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.logs import get_logger
from forebay.metrics_view import Snapshot, snapshot
from forebay.readiness import Readiness
from forebay.registry import make_registry
from forebay.reload import Reloads
from forebay.settings import Settings
from forebay.signals import Signals
from forebay.strict_yaml import SettingsError
from forebay.version import VERSION
from forebay.worker import Worker
from forebay.worker_siblings import WorkerSiblings
from gateway.siblings import Alone, Siblings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Process:
    """What the parts of one process share."""

    def __init__(self, role: str, flags: Flags, settings: Settings, worker: Worker | None = None) -> None:
        self.role = role
        self.worker = worker
        self.data_dir = flags.data_dir
        self.settings = settings
        self.clock: Clock = SystemClock()
        self.registry = make_registry(role)
        self.readiness = Readiness()
        self.siblings: Siblings = Alone()
        self.reloads = Reloads(self.logger("reload"), self.registry, self.clock)
        self.started_ms = self.clock.now_ms()
        self.failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._failed = asyncio.Event()
        self._asked = asyncio.Event()

    def logger(self, component: str) -> "FilteringBoundLogger":
        return get_logger(component)

    def fail(self, error: BaseException) -> None:
        """A part cannot go on: the process drains and exits with 1. The first error is told. From any thread."""
        self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._failed.set()

    def end(self) -> None:
        """As a first signal would. On the event loop."""
        self._asked.set()

    async def until_end(self, signals: Signals) -> None:
        """Returns at the first signal or failure, or when it was asked to."""
        events = signals.received, self._failed, self._asked
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()


Start = Callable[[Process, AsyncExitStack], Awaitable[None]]
"""Starts a role's parts; pushes onto the stack what ends them, in reverse order."""


def run_role(role: str, flags: Flags, settings: Settings, start: Start, worker: Worker | None = None) -> int:
    """Returns the exit code. `worker` says which of the processes behind a port this is, where there are several."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_live(role, flags, settings, start, worker))


async def _live(role: str, flags: Flags, settings: Settings, start: Start, worker: Worker | None) -> int:
    process = Process(role, flags, settings, worker)
    logger = process.logger("process")
    logger.info("starting", role=role, version=VERSION, data_dir=flags.data_dir)
    started = False
    signals = Signals(logger, process.reloads.request)
    try:
        with signals:
            async with AsyncExitStack() as parts:
                await _join_siblings(process, parts)
                parts.push_async_callback(process.reloads.stop)
                await start(process, parts)
                process.reloads.watch(settings.reload.interval.seconds)
                _settle()
                started = True
                await process.until_end(signals)
                process.readiness.drain()
    except ForebayError as error:
        if not started and isinstance(error, Retryable) and signals.received.is_set():
            logger.info("stopped before it had started", error=str(error))
            return OK
        process.failure = process.failure or error
    if process.failure is None:
        logger.info("ended")
        return OK
    _tell(logger, process.failure)
    if started:
        return FAILED
    return USAGE if isinstance(process.failure, SettingsError) else START_FAILED


def _settle() -> None:
    """What is there by now stays: to look through it for garbage, at any time later, would stop requests for 50 ms."""
    gc.collect()
    gc.freeze()


async def _join_siblings(process: Process, parts: AsyncExitStack) -> None:
    """The last figures are told when all else has ended."""
    if process.worker is None:
        return
    siblings = await WorkerSiblings.connect(process.worker, process.fail)
    parts.push_async_callback(lambda: siblings.close(snapshot(process.registry)))

    async def figures(_: str) -> Snapshot:
        return snapshot(process.registry)

    siblings.provide("metrics", figures)
    process.siblings = siblings


def _tell(logger: "FilteringBoundLogger", failure: BaseException) -> None:
    if isinstance(failure, ForebayError):
        logger.error("ended by a failure", error=failure.args[0], hint=failure.hint)
    else:
        logger.error(
            "ended by a failure",
            exc_info=failure,
            error=f"{type(failure).__name__}: {failure}",
            hint="this is a bug in forebay: please report these lines; what was acknowledged is in the log",
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - installed on Linux only
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
