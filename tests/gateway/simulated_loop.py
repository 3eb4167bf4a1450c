"""An event loop whose time is made: it passes only by waiting and by `spend`, so a test of time takes none."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class _Patience(selectors.SelectSelector):
    """Waits by setting the clock on; nothing ever comes in on a socket meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that never happens")
        self.now += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Deterministic: the same work takes the same course."""

    def __init__(self) -> None:
        self._patience = _Patience()
        super().__init__(self._patience)

    def time(self) -> float:
        return self._patience.now

    def spend(self, seconds: float) -> None:
        """What work on the loop costs: everybody else's time passes."""
        self._patience.now += seconds


def simulate(work: Coroutine[Any, Any, _Result], loop: SimulatedLoop) -> _Result:
    """Runs to its end on this loop, which ends with it."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)
