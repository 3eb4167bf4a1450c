"""Questions and answers between a supervisor and one of its processes, both ways, over a socket pair.

4 bytes of length (big endian), then a message as msgpack: [is a reply?, number, topic, body, problem]
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from forebay.errors import Retryable

_LENGTH_BYTES = 4


class NoAnswer(Retryable):
    """The other side is gone, did not answer in time, or could not."""


class _Message(msgspec.Struct, array_like=True):
    reply: bool
    number: int
    topic: str
    body: Any = None
    problem: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Message)

Answer = Callable[[str, Any], Awaitable[Any]]
"""From a topic and a body to a body; raises whatever it likes, which the asker is told. Bodies are plain values."""


class Channel:
    """One end. `run` must be running for anything to come of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self) -> None:
        """Returns when the other side is gone, or this one was closed. Called once."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
                message = _DECODER.decode(await self._reader.readexactly(length))
                if message.reply:
                    self._replied(message)
                else:
                    task = asyncio.create_task(self._reply(message))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._closed = True
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(NoAnswer("process is gone"))

    async def ask(self, topic: str, body: Any, seconds: float) -> Any:
        """What the other side says. Raises NoAnswer."""
        if self._closed:
            raise NoAnswer("process is gone")
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(_Message(False, number, topic, body))
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError as error:
            raise NoAnswer(f"process does not answer: waited={seconds:g}s") from error
        finally:
            del self._asked[number]

    async def close(self) -> None:
        """May be called twice. What was sent arrives."""
        self._closed = True
        self._writer.close()
        with contextlib.suppress(ConnectionError):  # the other side was faster
            await self._writer.wait_closed()

    def _replied(self, message: _Message) -> None:
        future = self._asked.get(message.number)
        if future is None or future.done():
            return  # nobody waits for it any more
        if message.problem:
            future.set_exception(NoAnswer(message.problem))
        else:
            future.set_result(message.body)

    async def _reply(self, asked: _Message) -> None:
        reply = _Message(True, asked.number, asked.topic)
        try:
            reply.body = await self._answer(asked.topic, asked.body)
        except Exception as error:  # noqa: BLE001 - it goes to whoever asked
            reply.problem = f"{type(error).__name__}: {error}"
        if not self._closed:
            self._send(reply)

    def _send(self, message: _Message) -> None:
        data = _ENCODER.encode(message)
        self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
