"""Whose turn it is: so many requests at work, a short queue in fair turns between tenants, 503 for the rest.

    headers --check--> body --turn--> work
              |                |
              503              503

Work blocks the event loop for milliseconds, so at most one request begins in each of its passes: between any two, what
came in on the sockets meanwhile is seen, and answered or refused. Requests wait in the queue only, and not unseen
in the loop; so how long they wait is known, and the queue can be kept short.

How long one may wait is by CoDel's idea: a queue that comes and goes is a burst, and is worth waiting for
(`burst_wait`). One that stands is overload (`gateway.pressure`): longer waiting would get nobody more done, so while it
is like that nobody is let in who would wait longer than `standing_wait`; but for tenants that have fewer waiting than
others on average, who are not what is too much. How long one would wait is told by who is before it, at most as many of
each other tenant as of its own, by the mean time between turns, and by how long there was none: so it is known on
headers alone. Who is in waits for up to `burst_wait` whatever comes: where the process stood still for a
moment, to refuse all who waited would not help them.

Turns go by bytes begun: start-time fair queueing. Of the places, a tenant that has some gets another one only while it
has less than four times what is free: one tenant alone gets four fifths of them, and others find some left. Where none
is, since places became fewer, a tenant that has nothing at work gets one more.
"""

import asyncio
import math
from collections import deque
from types import TracebackType
from typing import Self

from forebay.errors import Retryable
from gateway.places import FEW, Places
from gateway.pressure import Pressure

_SHARE = 4
_WEIGHT = 0.1
"""Of the newest time between two turns, in their mean."""
_REMEMBERED = 1024
"""Tenants whose last turn is remembered, or all begin anew: a name that any sender can make up must cost nothing."""


class Overloaded(Retryable):
    """The request would wait longer for its turn than it may."""


class _Waiting:
    __slots__ = ("begin", "begun", "since", "size")

    def __init__(self, begin: float, size: int, since: float, begun: "asyncio.Future[None]") -> None:
        self.begin = begin
        """Its place in the order of turns."""
        self.size = size
        self.since = since
        self.begun = begun


class Admission:
    """For one event loop, on which it must be made."""

    def __init__(self, places: Places | int, *, burst_wait: float, standing_wait: float) -> None:
        """As many places as are found to be right, or always so many."""
        self.places = places if isinstance(places, Places) else Places(places, math.inf, first=places)
        self.working = 0
        self._burst_wait = burst_wait
        self._standing_wait = standing_wait
        self._loop = asyncio.get_running_loop()
        self._queues: dict[str, deque[_Waiting]] = {}
        self._pressure = Pressure(burst_wait)
        self._working: dict[str, int] = {}
        self._served: dict[str, float] = {}  # bytes begun, on a scale on which the least served of all is at `_least`
        self._least = 0.0
        self._begun_in_pass = False
        self._last_begin = 0.0
        self._mean_interval = 0.0

    @property
    def waiting(self) -> int:
        """Requests."""
        return self._pressure.waiting

    def check(self, tenant: str) -> None:
        """Raises Overloaded where a request of this tenant would wait too long."""
        if self.waiting:
            self._check(tenant, self._loop.time())

    def _check(self, tenant: str, now: float) -> None:
        own = len(self._queues.get(tenant, ()))
        ahead = own + sum(min(len(queue), own + 1) for name, queue in self._queues.items() if name != tenant)
        stalled = 0.0 if self.working < self.places.count else self._since_begin(now)
        if (expected := ahead * self._mean_interval + stalled) > (allowed := self._may_wait(tenant, now)):
            raise self._refuse(expected, allowed)

    def turn(self, tenant: str, size: int) -> "Turn":
        """What an `async with` block waits for; raises Overloaded there. `size` is what its work is measured by."""
        return Turn(self, tenant, size)

    async def _begin(self, tenant: str, size: int) -> float:
        """Returns when it is this request's turn, with the seconds that it waited."""
        self.check(tenant)  # again: others have come while its body did
        begin = max(self._least, self._served.get(tenant, 0.0))
        if len(self._served) >= _REMEMBERED:
            self._served.clear()  # whoever waits has its place in the order already
        size = max(size, 1)
        self._served[tenant] = begin + size
        if not (self.waiting or self._begun_in_pass) and self._has_place(tenant):
            self._start(tenant, begin)
            return 0.0
        now = self._loop.time()
        one = _Waiting(begin, size, now, self._loop.create_future())
        self._queues.setdefault(tenant, deque()).append(one)
        self._pressure.joined(now)
        if not self._begun_in_pass:
            self._begin_next()  # those before it may wait for places that their tenants may not have
        end = self._loop.call_later(self._burst_wait, self._expire, tenant, one)
        try:
            await one.begun
        except asyncio.CancelledError:
            if not one.begun.cancelled():
                self._end(tenant, self._loop.time(), self.working)
            elif one in self._queues.get(tenant, ()):
                self._forget(tenant, one)
            raise
        finally:
            end.cancel()
        return self._loop.time() - now

    def _end(self, tenant: str, begun: float, at_work: int) -> None:
        now = self._loop.time()
        self.places.ended(now, now - begun, at_work)
        self.working -= 1
        if left := self._working[tenant] - 1:
            self._working[tenant] = left
        else:
            del self._working[tenant]
        if not (self.working or self.waiting):
            self._served.clear()
        elif self.waiting and not self._begun_in_pass:
            self._begin_next()

    def _start(self, tenant: str, begin: float) -> None:
        self._least = max(self._least, begin)
        self.working += 1
        self._working[tenant] = self._working.get(tenant, 0) + 1
        self._begun_in_pass = True
        self._last_begin = self._loop.time()
        self._loop.call_soon(self._next_pass)

    def _next_pass(self) -> None:
        self._begun_in_pass = False
        if self.waiting:
            self._begin_next()

    def _begin_next(self) -> None:
        """The least served tenant's oldest request, of the tenants that may have a place."""
        able = [name for name in self._queues if self._has_place(name)]
        if not able:
            return
        tenant = min(able, key=lambda name: self._queues[name][0].begin)
        one = self._queues[tenant][0]
        interval = self._since_begin(self._loop.time())
        self._forget(tenant, one)
        if one.begun.cancelled():
            self._begin_next()
            return
        self._note_interval(interval)
        one.begun.set_result(None)
        self._start(tenant, one.begin)

    def _note_interval(self, seconds: float) -> None:
        """One long pass says little about the next: what is out of the common counts as twice the mean."""
        mean = self._mean_interval
        self._mean_interval += _WEIGHT * (min(seconds, 2 * mean) - mean) if mean else seconds

    def _since_begin(self, now: float) -> float:
        """Seconds that somebody has waited for a turn and nobody had one."""
        return now - max(self._last_begin, self._pressure.waiting_since)

    def _has_place(self, tenant: str) -> bool:
        places, own = self.places, self._working.get(tenant, 0)
        free = places.count - self.working
        if own < _SHARE * free:
            return True
        places.needed()
        return not own and free > -FEW and self.working < places.most

    def _may_wait(self, tenant: str, now: float) -> float:
        if not self._pressure.stands(now):
            return self._burst_wait
        own = len(self._queues.get(tenant, ()))
        tenants = len(self._queues) + (not own)
        return self._burst_wait if (own + 1) * tenants <= self.waiting else self._standing_wait

    def _expire(self, tenant: str, one: _Waiting) -> None:
        if not one.begun.done():
            self._forget(tenant, one)
            if tenant in self._served:
                self._served[tenant] -= one.size
            now = self._loop.time()
            self._pressure.press(now)
            one.begun.set_exception(self._refuse(now - one.since, self._burst_wait))

    def _forget(self, tenant: str, one: _Waiting) -> None:
        queue = self._queues[tenant]
        queue.remove(one)
        if not queue:
            del self._queues[tenant]
        self._pressure.left(self._loop.time())

    def _refuse(self, waited: float, allowed: float) -> Overloaded:
        self._pressure.refused(self._mean_interval)
        return Overloaded(
            f"too many requests: waiting={self.waiting} at_work={self.working} wait={waited:.3f}s allowed={allowed:g}s",
            hint="retry; add gateways or processes (--web.processes)",
        )


class Turn:
    """An `async with` block at work; `waited` is how many seconds it waited before."""

    __slots__ = ("_admission", "_at_work", "_begun", "_size", "_tenant", "waited")

    def __init__(self, admission: Admission, tenant: str, size: int) -> None:
        self._admission = admission
        self._tenant = tenant
        self._size = size
        self._begun = 0.0
        self._at_work = 0
        self.waited = 0.0

    async def __aenter__(self) -> Self:
        self.waited = await self._admission._begin(self._tenant, self._size)  # noqa: SLF001 - its other half
        self._begun = asyncio.get_running_loop().time()
        self._at_work = self._admission.working
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission._end(self._tenant, self._begun, self._at_work)  # noqa: SLF001 - its other half
