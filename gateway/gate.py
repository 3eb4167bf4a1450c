"""What stands before the work on a request: too little time, memory or log for it is 503, as early as it is known."""

import asyncio
import random
from collections import Counter

from broker.log import LogFull, LogWriter
from forebay.errors import Retryable
from gateway.admission import Admission, Overloaded, Turn
from gateway.in_flight import GatewayFull
from gateway.metrics import GatewayMetrics
from gateway.places import Places
from gateway.settings import GatewaySettings

_LARGE = 10
"""Large bodies take longer, and may wait so much longer for a thread."""
_HELD = 512
"""Refusals at a time that are made to wait: about 64 MiB of bodies that nobody reads."""
_SOME_HELD = 16
"""Of one tenant: with each so many more, the next waits a `limited_wait` longer."""
_LONGEST_HOLD = 8
"""Times `limited_wait`."""
_RETRY_SECONDS = (1, 5)
"""Senders that were refused at once must not come back at once."""


class Gate:
    """For one event loop, on which it must be made."""

    def __init__(self, settings: GatewaySettings, log: LogWriter, metrics: GatewayMetrics) -> None:
        burst, standing = settings.burst_wait.seconds, settings.standing_wait.seconds
        places = Places(settings.max_concurrent, settings.work_target.seconds)
        self._on_loop = Admission(places, burst_wait=burst, standing_wait=standing)
        self._on_threads = Admission(settings.threads, burst_wait=_LARGE * burst, standing_wait=_LARGE * standing)
        self._thread_bytes = settings.thread_bytes
        self._log = log
        self._full_at = 0
        self._limited_wait = settings.limited_wait.seconds
        self._held = 0
        self._held_of = Counter[str]()
        self._metrics = metrics
        metrics.places.set_function(lambda: places.count)
        metrics.waiting.set_function(lambda: self._on_loop.waiting + self._on_threads.waiting)

    def check(self, tenant: str, declared: int | None) -> None:
        """Before the body is read, with the length that its headers declare. Raises Overloaded, LogFull."""
        if self._full_at:
            backlog = self._log.backlog_bytes()
            if backlog >= self._full_at:
                raise LogFull(f"too many bytes wait for the log waiting={backlog}", hint="retry; see what the log does")
            self._full_at = 0
        self._turns(declared or 0).check(tenant)

    def beside_loop(self, size: int) -> bool:
        """Whether a body of this size is worked on by a thread."""
        return size > self._thread_bytes

    def turn(self, tenant: str, size: int) -> Turn:
        """For work on the event loop, to its end; or for what a thread has to do of it. Its block raises Overloaded."""
        return self._turns(size).turn(tenant, size)

    def _turns(self, size: int) -> Admission:
        return self._on_threads if self.beside_loop(size) else self._on_loop

    async def hold(self, tenant: str) -> None:
        """Before a 429 is answered: a sender that waits for its answers can ask no more often than so.

        One that comes over many connections at a time, and so does not heed what it is told, waits the longer. Only so
        many are held at a time, since each may hold what the server has read of its body.
        """
        if self._held >= _HELD:
            return
        times = min(_LONGEST_HOLD, 1 + self._held_of[tenant] // _SOME_HELD)
        self._held += 1
        self._held_of[tenant] += 1
        try:
            await asyncio.sleep(times * self._limited_wait)
        finally:
            self._held -= 1
            self._held_of[tenant] -= 1
            if not self._held_of[tenant]:
                del self._held_of[tenant]

    def refused(self, error: Retryable) -> dict[str, str]:
        """Counts it; the headers of its answer."""
        if isinstance(error, Overloaded):
            self._metrics.refused["turn"].inc()
        elif isinstance(error, GatewayFull):
            self._metrics.refused["memory"].inc()
        elif isinstance(error, LogFull):
            self._metrics.refused["log"].inc()
            self._full_at = self._log.backlog_bytes()
        return {"Retry-After": str(random.randint(*_RETRY_SECONDS))}  # noqa: S311 - spreads senders, hides nothing
