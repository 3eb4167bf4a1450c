"""SIGTERM and SIGINT: the first drains, the second exits at once. SIGHUP: reload."""

import asyncio
import os
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from forebay.exit_codes import FAILED

SAME_SECONDS = 0.2
"""A signal to the process and to its group, as timeout(1) and terminals send it, is one signal."""


class Signals:
    """While its `with` block runs, `received` is set by the first signal; handlers are restored at its end.

    `reload` is called, on the event loop, for each SIGHUP.
    """

    def __init__(self, logger: Any, reload: Callable[[], None]) -> None:
        self.received = asyncio.Event()
        self._logger = logger
        self._reload = reload
        self._loop = asyncio.get_running_loop()
        self._first = 0.0
        self._over = False

    def _on_signal(self, number: signal.Signals) -> None:
        if self._over or (self.received.is_set() and self._loop.time() < self._first + SAME_SECONDS):
            return
        if self.received.is_set():
            self._logger.warning("exiting at once", signal=number.name)
            os._exit(FAILED)
        self._logger.info("draining; the next signal exits at once", signal=number.name)
        self._first = self._loop.time()
        self.received.set()

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_signal, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.remove_signal_handler(number)
