"""A worker process, as its supervisor sees it."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from forebay.channel import Channel, NoAnswer
from forebay.worker import Worker
from forebay.worker_siblings import LAST
from gateway.siblings import Reply

if TYPE_CHECKING:
    from forebay.metrics_view import Snapshot

ANSWER_SECONDS = 3.0


class Child:
    """From its start to its end, which `exited` waits for."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.figures: Snapshot = []
        """As it gave them last."""
        self.leaving = False
        """Nothing is wrong when it ends."""
        self._started = asyncio.get_running_loop().time()
        self._said_last = False
        self._process = process
        self._channel: Channel
        self._run: asyncio.Task[None]

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        number: int,
        processes: int,
        listeners: Sequence[socket.socket],
        gather: Callable[[str, str], Awaitable[list[Reply]]],
    ) -> Self:
        """In a session of its own: a signal to the supervisor's group is the supervisor's to pass on."""
        ours, theirs = socket.socketpair()
        with theirs:
            worker = Worker(number, processes, theirs.fileno(), tuple(each.fileno() for each in listeners))
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                env=worker.environment(),
                pass_fds=worker.files,
                start_new_session=True,
            )
        self = cls(number, process)

        async def answer(topic: str, body: Any) -> Any:
            if topic == LAST:
                self.figures, self._said_last = body, True
                return None
            return [list(each) for each in await gather(*body)]

        ours.setblocking(False)
        self._channel = Channel(*await asyncio.open_unix_connection(sock=ours), answer)
        self._run = asyncio.create_task(self._channel.run())
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, topic: str, argument: str = "", seconds: float = ANSWER_SECONDS) -> Reply:
        """Does not raise."""
        try:
            return Reply(*await self._channel.ask(topic, argument, seconds))
        except NoAnswer as error:
            return Reply(self.number, problem=str(error))

    async def look(self) -> None:
        """Renews `figures`, where it answers."""
        replied = await self.ask("metrics")
        if not replied.problem and not self._said_last:
            self.figures = replied.value

    async def objections(self) -> list[str]:
        """Why it is not ready."""
        replied = await self.ask("ready")
        return [replied.problem] if replied.problem else list(replied.value)

    async def retire(self) -> None:
        """Another has its place: it is to end once no connection needs it any more."""
        self.leaving = True
        if (await self.ask("retire")).problem:
            self.signal(signal.SIGTERM)

    def ran_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    def signal(self, number: signal.Signals) -> None:
        """Nothing to one that has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def exited(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        code = await self._process.wait()
        await self._channel.close()
        await asyncio.wait([self._run])
        return code
