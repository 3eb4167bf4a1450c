r"""`forebay gateway --web.processes N`: one port, N processes.

    supervisor: the sockets, one for each process, for as long as it lives
       |  \  \
       |   \  worker 2 --.
       |    worker 1 -----+--- accept, each from its own socket, and ask each other by way of the supervisor
       worker 0 ---------'

A worker that crashes is started again; what waits on its socket meanwhile is accepted then. SIGUSR2 replaces the
workers one by one: the next begins to accept before the last stops. SIGHUP goes to all of them; SIGTERM drains them.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from forebay.child import ANSWER_SECONDS, Child
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import LISTEN
from forebay.listener import CannotListen
from forebay.metrics_view import Snapshot, counted, merge, snapshot
from forebay.restarts import CrashLoop, Restarts
from forebay.settings import Settings
from forebay.shared_port import listen
from forebay.signals import SAME_SECONDS
from forebay.trial_api import TOPIC as TRIAL_TOPIC
from gateway.siblings import Reply

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_POLL_SECONDS = 5.0
"""Figures of a worker are at most so old, where it is killed."""
_READY_POLL_SECONDS = 0.1
_READY_SECONDS = 120.0
"""How long a new worker may take to be ready; until then the one that it is to replace is kept."""
_TOPIC_SECONDS = {"reload": 30.0, TRIAL_TOPIC: 30.0}


class SupervisorMetrics:
    """What no worker can know."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processes = Gauge(
            "forebay_gateway_processes", "Processes that run behind the one port (--web.processes).", registry=registry
        )
        self.restarts = Counter(
            "forebay_gateway_process_restarts_total",
            "Processes behind the one port that ended unasked and were started again.",
            registry=registry,
        )


class Supervisor:
    """Keeps one worker in each slot."""

    def __init__(
        self,
        command: Sequence[str],
        slots: Sequence[Sequence[socket.socket]],
        registry: CollectorRegistry,
        logger: "FilteringBoundLogger",
    ) -> None:
        self._command = command
        self._slots = slots
        self._registry = registry
        self._metrics = SupervisorMetrics(registry)
        self._metrics.processes.set_function(lambda: len(self._children))
        self._logger = logger
        self._current: list[Child | None] = [None] * len(slots)
        self._children: dict[Child, asyncio.Task[None]] = {}
        """Those that run, the ones that are leaving too, and who waits for their end."""
        self._restarts = [Restarts(number) for number in range(len(slots))]
        self._gone: Snapshot = []
        """What those that ended had counted."""
        self._tasks: set[asyncio.Task[object]] = set()
        self._starting = asyncio.Lock()
        self._ending = asyncio.Event()
        self._code = OK
        self._any_was_ready = False
        self._replaced: int | None = None
        self._first_signal = 0.0

    async def run(self) -> int:
        """Until a signal, or until a worker cannot be kept; returns the exit code."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._terminate,
            signal.SIGHUP: self._pass_on,
            signal.SIGUSR2: self._replace,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler, number)
        try:
            for slot in range(len(self._slots)):
                await self._keep(slot)
            self._spawn(self._poll())
            await self._ending.wait()
            await self._drain()
        finally:
            for task in self._tasks:
                task.cancel()
            for number in handlers:
                loop.remove_signal_handler(number)
        self._logger.info("ended", code=self._code)
        return self._code

    async def gather(self, topic: str, argument: str) -> list[Reply]:
        """For any worker: what all of them say."""
        if topic == "metrics":
            return await self._figures()
        seconds = _TOPIC_SECONDS.get(topic, ANSWER_SECONDS)

        async def ask(slot: int, child: Child | None) -> Reply:
            if child is None:
                return Reply(slot, problem="process is being started again")
            return await child.ask(topic, argument, seconds)

        return await asyncio.gather(*(ask(slot, child) for slot, child in enumerate(self._current)))

    async def _figures(self) -> list[Reply]:
        """Counters do not go back when a worker ends: what it said last is kept."""
        await asyncio.gather(*(child.look() for child in self._children))
        # Without a pause from here: who ended meanwhile has gone over into `_gone`, and is not counted twice.
        replies = [Reply(child.number, child.figures) for child in self._children]
        return [*replies, Reply(-1, merge([self._gone, snapshot(self._registry)]))]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self._figures()

    async def _keep(self, slot: int) -> None:
        child = await self._start(slot)
        if child is not None:
            self._current[slot] = child
            self._spawn(self._await_ready(child))

    async def _start(self, slot: int) -> Child | None:
        """None where everything is ending."""
        async with self._starting:
            if self._ending.is_set():
                return None
            child = await Child.start(self._command, slot, len(self._slots), self._slots[slot], self.gather)
            self._children[child] = asyncio.create_task(self._watch(child))
        self._logger.info("process started", process=slot, pid=child.pid)
        return child

    async def _await_ready(self, child: Child) -> bool:
        """Whether it becomes so in time."""
        deadline = asyncio.get_running_loop().time() + _READY_SECONDS
        while child in self._children and asyncio.get_running_loop().time() < deadline:
            if not await child.objections():
                self._any_was_ready = True
                self._logger.info("process is ready", process=child.number, pid=child.pid)
                return True
            await asyncio.sleep(_READY_POLL_SECONDS)
        return False

    async def _watch(self, child: Child) -> None:
        code = await child.exited()
        self._gone = merge([self._gone, counted(child.figures)])
        del self._children[child]
        if child.leaving:
            if code != OK:
                self._logger.warning("process did not end well", process=child.number, pid=child.pid, code=code)
                self._code = self._code or FAILED
            return
        self._logger.error("process ended unasked", process=child.number, pid=child.pid, code=code)
        if self._current[child.number] is not child:
            return  # one that was to replace another
        self._current[child.number] = None
        if not self._any_was_ready and code in {USAGE, START_FAILED}:
            self._end(code)  # its own last line says why
        elif self._replaced != child.number:
            self._spawn(self._restart(child))

    async def _restart(self, child: Child) -> None:
        try:
            wait = self._restarts[child.number].crashed(child.ran_seconds())
        except CrashLoop as error:
            self._logger.error("ended by a failure", error=error.args[0], hint=error.hint)  # noqa: TRY400 - for people
            self._end(FAILED)
            return
        self._metrics.restarts.inc()
        await asyncio.sleep(wait)
        await self._keep(child.number)

    def _replace(self, _: signal.Signals) -> None:
        if self._replaced is None:
            self._replaced = 0
            self._spawn(self._replace_all())
        else:
            self._logger.warning("processes are being replaced already", process=self._replaced)

    async def _replace_all(self) -> None:
        try:
            for slot in range(len(self._slots)):
                self._replaced = slot
                if not await self._replace_one(slot):
                    return
            self._logger.info("all processes were replaced")
        finally:
            self._replaced = None

    async def _replace_one(self, slot: int) -> bool:
        new = await self._start(slot)
        if new is None:
            return False
        if not await self._await_ready(new):
            new.leaving = True
            new.signal(signal.SIGTERM)
            self._logger.error(
                "new process did not become ready; those that run stay", process=slot, hint="its own lines say why"
            )
            if self._current[slot] is None:
                await self._keep(slot)
            return False
        old, self._current[slot] = self._current[slot], new
        if old is not None and (watch := self._children.get(old)) is not None:
            await old.retire()
            await asyncio.wait([watch])
        return True

    def _pass_on(self, number: signal.Signals) -> None:
        for child in self._children:
            child.signal(number)

    def _terminate(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if not self._ending.is_set():
            self._logger.info("draining; the next signal exits at once", signal=number.name)
            self._first_signal = now
            self._end(OK)
        elif now >= self._first_signal + SAME_SECONDS:
            self._logger.warning("exiting at once", signal=number.name)
            self._pass_on(signal.SIGKILL)
            os._exit(FAILED)

    def _end(self, code: int) -> None:
        self._code = self._code or code
        self._ending.set()

    async def _drain(self) -> None:
        """Every worker stops accepting when it is ready to; nobody else holds its socket by then."""
        async with self._starting:
            for listener in (each for slot in self._slots for each in slot):
                listener.close()
            for child in self._children:
                child.leaving = True
                child.signal(signal.SIGTERM)
        if self._children:
            await asyncio.wait(self._children.values())

    def _spawn(self, work: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def supervise(settings: Settings, registry: CollectorRegistry, logger: "FilteringBoundLogger") -> int:
    """Returns the exit code. Workers run this process' own command."""
    address = settings.web.listen_address or LISTEN["gateway"]
    command = [sys.executable, *sys.orig_argv[1:]]

    async def live() -> int:
        slots = listen(address, settings.web.processes)
        logger.info("listening", address=address, processes=settings.web.processes, pid=os.getpid())
        return await Supervisor(command, slots, registry, logger).run()

    try:
        return asyncio.run(live())
    except CannotListen as error:
        logger.error("ended by a failure", error=error.args[0], hint=error.hint)  # noqa: TRY400 - for people
        return START_FAILED
