"""A worker's view of the processes it shares a port with: all by way of the supervisor."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Self

from forebay.channel import Channel, NoAnswer
from forebay.errors import Fatal
from forebay.worker import Worker
from gateway.siblings import Provider, Reply, reply

GATHER = "gather"
LAST = "last"
GATHER_SECONDS = 40.0
"""Above what the supervisor waits for any process."""
_LAST_SECONDS = 3.0


class SupervisorGone(Fatal):
    """A worker alone is not what was asked for."""


class WorkerSiblings:
    """`Siblings`, from the start of a process to its end."""

    def __init__(self, worker: Worker) -> None:
        self.processes = worker.processes
        self.number = worker.number
        self._providers: dict[str, Provider] = {}
        self._channel: Channel
        self._run: asyncio.Task[None]
        self._ending = False

    @classmethod
    async def connect(cls, worker: Worker, lost: Callable[[BaseException], None]) -> Self:
        """`lost` is told where the supervisor ends first."""
        self = cls(worker)
        reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=worker.channel))
        self._channel = Channel(reader, writer, self._answer)
        self._run = asyncio.create_task(self._channel.run())

        def ended(_: asyncio.Task[None]) -> None:
            if not self._ending:
                lost(SupervisorGone("supervisor is gone", hint="start forebay gateway again"))

        self._run.add_done_callback(ended)
        return self

    def provide(self, topic: str, provider: Provider) -> None:
        self._providers[topic] = provider

    async def gather(self, topic: str, argument: str = "") -> list[Reply]:
        try:
            replies = await self._channel.ask(GATHER, [topic, argument], GATHER_SECONDS)
        except NoAnswer:
            return [await reply(self.number, self._providers, topic, argument)]
        return [Reply(*each) for each in replies]

    async def close(self, last: Any) -> None:
        """With this process' last figures."""
        self._ending = True
        with contextlib.suppress(NoAnswer):  # it knows what it was told before
            await self._channel.ask(LAST, last, _LAST_SECONDS)
        await self._channel.close()
        await asyncio.wait([self._run])

    async def _answer(self, topic: str, argument: Any) -> Any:
        return list(await reply(self.number, self._providers, topic, argument))
