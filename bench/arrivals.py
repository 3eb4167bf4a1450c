"""Requests of one tenant: as fast as they are answered, or at a rate of their own, whatever becomes of them."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.connection import Answered, Connection

_DRAIN_SECONDS = 40.0
_PAUSE_SECONDS = 0.1


@dataclass
class Outcome:
    """What became of the requests of one phase."""

    seconds: float
    answers: list[Answered] = field(default_factory=list)
    unsent: int = 0
    """Whose time came while every connection waited for an answer."""

    def latencies(self) -> list[float]:
        """Of those that were acknowledged, ascending."""
        return sorted(each.seconds for each in self.answers if each.status == 204)

    def percentile(self, share: float) -> float:
        found = self.latencies()
        return found[min(len(found) - 1, int(len(found) * share))] if found else float("nan")

    def acknowledged(self) -> int:
        return sum(each.status == 204 for each in self.answers)

    def statuses(self) -> Counter[int]:
        return Counter(each.status for each in self.answers)


class Sender:
    """One tenant's connections. `acknowledged` holds every request that ever was."""

    def __init__(self, port: int, tenant: str, requests: Iterator[tuple[int, bytes]], connections: int) -> None:
        self.acknowledged: set[int] = set()
        self._port = port
        self._requests = requests
        self._count = connections
        self._head = (
            f"POST /api/v1/write HTTP/1.1\r\nHost: bench\r\nX-Scope-OrgID: {tenant}\r\n"
            "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
        ).encode()
        self._free: deque[Connection] = deque()
        self._on_free: asyncio.Event = asyncio.Event()
        self._outcome = Outcome(0)
        self._open: set[Connection] = set()
        self._under_way = 0
        self._pausing = 0
        self._connecting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def at_rate(self, rate: float, seconds: float, seed: int) -> Outcome:
        """Requests come by chance, so many a second on average."""
        chance = random.Random(seed)
        loop = asyncio.get_running_loop()
        outcome = self._begin(seconds)
        begin = due = loop.time()
        while due < begin + seconds:
            due += chance.expovariate(rate)
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._send_one()
        await self._drained()
        return outcome

    async def closed(self, seconds: float, connections: int) -> Outcome:
        """So many at a time, each as soon as one before it was acknowledged; after a refusal a little later."""
        loop = asyncio.get_running_loop()
        outcome = self._begin(seconds)
        end = loop.time() + seconds
        while loop.time() < end:
            while self._under_way + self._pausing < connections and self._free:
                self._send_one()
            self._on_free.clear()
            await self._on_free.wait()
        await self._drained()
        return outcome

    async def connect(self) -> None:
        """All connections are there when it returns."""
        self._reconnect()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def close(self) -> None:
        for each in self._open:
            each.close()

    def _begin(self, seconds: float) -> Outcome:
        self._outcome = Outcome(seconds)
        return self._outcome

    def _send_one(self) -> None:
        self._reconnect()
        while self._free and not self._free[0].is_open:
            self._free.popleft()
        if not self._free:
            self._outcome.unsent += 1
            return
        self._under_way += 1
        number, body = next(self._requests)
        self._free.popleft().send(number, self._head, body)

    async def _drained(self) -> None:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while self._under_way:
                self._on_free.clear()
                await self._on_free.wait()

    def _answered(self, one: Answered) -> None:
        self._under_way -= 1
        self._outcome.answers.append(one)
        if one.status == 204:
            self.acknowledged.add(one.number)
        else:
            self._pausing += 1
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._go_on)
        self._on_free.set()

    def _go_on(self) -> None:
        self._pausing -= 1
        self._on_free.set()

    def _freed(self, connection: Connection) -> None:
        self._free.append(connection)
        self._on_free.set()

    def _reconnect(self) -> None:
        self._open = {each for each in self._open if each.is_open}
        while len(self._open) + self._connecting < self._count:
            self._connecting += 1
            task = asyncio.create_task(self._connect_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect_one(self) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._freed, self._answered), "127.0.0.1", self._port
            )
            self._open.add(connection)
        finally:
            self._connecting -= 1
