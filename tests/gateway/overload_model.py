"""A gateway process in simulated time: what headers, work, refusals and the log take, and requests that come by chance.

Its figures are those of a real one, rounded: of the event loop 1.1 ms for a request of 2000 samples and a seventh of it
for a refusal; and a log that takes some milliseconds, now and then many.
"""

import asyncio
import random
from dataclasses import dataclass, field

from gateway.admission import Admission, Overloaded
from gateway.places import Places
from tests.gateway.simulated_loop import SimulatedLoop, simulate

CAPACITY = 1 / 1.1e-3
"""Requests per second."""
_HEADERS, _REFUSAL, _WORK, _ANSWER = 0.1e-3, 0.05e-3, 0.9e-3, 0.1e-3
_LOG = 5e-3, 3e-3
"""Seconds: the least, and how many more on average."""
_HICCUPS, _HICCUP = 0.002, 50e-3


@dataclass
class Answers:
    """Of one tenant, in the order they were given: (when it came, seconds until its answer)."""

    served: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)

    def between(self, begin: float, end: float) -> "Answers":
        """Of those that came within this time."""
        return Answers(*([one for one in kind if begin <= one[0] < end] for kind in (self.served, self.refused)))

    def percentile(self, share: float) -> float:
        found = sorted(seconds for _, seconds in self.served)
        return found[min(len(found) - 1, int(len(found) * share))]


class Model:
    """Call its methods, then `run`; the answers of each tenant are in `answers`."""

    def __init__(self, *, burst_wait: float = 0.25, standing_wait: float = 0.01) -> None:
        self.answers: dict[str, Answers] = {}
        self._waits = {"burst_wait": burst_wait, "standing_wait": standing_wait}
        self._loop = SimulatedLoop()
        self._chance = random.Random(1)
        self._due: list[tuple[float, str]] = []
        self._stalls: list[tuple[float, float]] = []
        self._log = _LOG
        self._slows_at: float | None = None
        self._slow_log = _LOG

    def come(self, tenant: str, load: float, begin: float, end: float) -> None:
        """So many times the capacity, from and until when."""
        at = begin
        while (at := at + self._chance.expovariate(load * CAPACITY)) < end:
            self._due.append((at, tenant))

    def burst(self, tenant: str, count: int, at: float) -> None:
        """All at the same moment."""
        self._due += [(at, tenant)] * count

    def stall(self, at: float, seconds: float) -> None:
        """The process stands still, as one does that has used up its CPU quota."""
        self._stalls.append((at, seconds))

    def log_slows(self, at: float, least: float, more: float) -> None:
        """Each append takes the least and by chance some more from then on, however many there are."""
        self._slows_at, self._slow_log = at, (least, more)

    def run(self) -> "Model":
        simulate(self._run(), self._loop)
        return self

    async def _run(self) -> None:
        admission = Admission(Places(256, 0.025), **self._waits)
        for at, seconds in self._stalls:
            self._loop.call_at(at, self._loop.spend, seconds)
        if self._slows_at is not None:
            self._loop.call_at(self._slows_at, self._slow)
        async with asyncio.TaskGroup() as requests:
            for at, tenant in sorted(self._due):
                if at > self._loop.time():
                    await asyncio.sleep(at - self._loop.time())
                requests.create_task(self._request(admission, tenant, at))

    async def _request(self, admission: Admission, tenant: str, came: float) -> None:
        loop, answers = self._loop, self.answers.setdefault(tenant, Answers())
        loop.spend(_HEADERS)
        try:
            admission.check(tenant)
            await asyncio.sleep(0)  # its body
            async with admission.turn(tenant, 2000):
                loop.spend(_WORK)
                await asyncio.sleep(self._log_seconds())
        except Overloaded:
            loop.spend(_REFUSAL)
            answers.refused.append((came, loop.time() - came))
        else:
            loop.spend(_ANSWER)
            answers.served.append((came, loop.time() - came))

    def _slow(self) -> None:
        self._log = self._slow_log

    def _log_seconds(self) -> float:
        hiccup = _HICCUP if self._chance.random() < _HICCUPS else 0.0
        least, more = self._log
        return least + self._chance.expovariate(1 / more) + hiccup
