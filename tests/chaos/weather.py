"""What becomes of requests on their way to the store: fair weather, faults by chance, an outage, or a held write."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bucket.fault_proxy import Fault, Refusal

FAULTS: tuple[Fault, ...] = (
    "drop",
    "half",
    "lose",
    "cut",
    "stall",
    Refusal(500, "InternalError"),
    Refusal(503, "SlowDown"),
    Refusal(503, "ServiceUnavailable"),
)
UNAVAILABLE = Refusal(503, "ServiceUnavailable")
_HOLD_SECONDS = 120.0


class Weather:
    """The `plan` of a fault proxy. Any thread may change it; a request meets what holds when it comes."""

    def __init__(self, seed: int) -> None:
        self.met: Counter[str] = Counter()
        """Requests by what became of them."""
        self._chance = random.Random(seed)
        self._faults: Sequence[Fault] = ()
        self._share = 0.0
        self._slowness = 0.0
        self._refused: tuple[str, ...] = ()
        self._changing = threading.Lock()
        self._hold: Hold | None = None

    def clear(self) -> None:
        with self._changing:
            self._faults, self._share, self._slowness, self._refused = (), 0.0, 0.0, ()

    def storm(self, share: float, faults: Sequence[Fault] = FAULTS) -> None:
        """So many of all requests meet one of these faults."""
        with self._changing:
            self._faults, self._share = faults, share

    def slow(self, seconds: float) -> None:
        """Each request waits for up to so long before it is done."""
        with self._changing:
            self._slowness = seconds

    def refuse_writes_but(self, part: str) -> None:
        """Only keys with `part` in their path can be written."""
        with self._changing:
            self._refused = (part,)

    @contextmanager
    def holding(self, part: str) -> Iterator["Hold"]:
        """PUTs of paths with `part` in them wait in the network; all are let go at the end at the latest."""
        hold = Hold(part)
        with self._changing:
            self._hold = hold
        try:
            yield hold
        finally:
            hold.release()
            with self._changing:
                self._hold = None

    def plan(self, method: str, path: str) -> Fault:
        with self._changing:
            hold = self._hold
            fault = self._drawn(method, path)
            wait = self._chance.uniform(0, self._slowness)
            self.met[fault if isinstance(fault, str) else f"{fault.status} {fault.code}"] += 1
        if wait:
            time.sleep(wait)
        if hold is not None:
            hold.pass_by(method, path)
        return fault

    def _drawn(self, method: str, path: str) -> Fault:
        if self._refused and method == "PUT" and not any(part in path for part in self._refused):
            return UNAVAILABLE
        if self._faults and self._chance.random() < self._share:
            return self._chance.choice(self._faults)
        return "pass"


class Hold:
    """Writes that are under way for as long as one likes."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._held = 0
        self._more = True
        self._go = threading.Event()
        self._counting = threading.Lock()

    @property
    def held(self) -> int:
        return self._held

    def no_more(self) -> None:
        """Later ones pass at once; those that wait go on waiting."""
        self._more = False

    def release(self) -> None:
        self._more = False
        self._go.set()

    def pass_by(self, method: str, path: str) -> None:
        with self._counting:
            if not self._more or method != "PUT" or self._part not in path:
                return
            self._held += 1
        self._go.wait(_HOLD_SECONDS)
