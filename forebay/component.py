"""A part that blocks, on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable

from forebay.errors import Fatal


class ComponentEnded(Fatal):
    """A part's loop returned though nobody asked it to."""


class Component:
    """Runs `run` until `stop` is called; if it ends before, however it ends, `failed` is told."""

    def __init__(
        self, name: str, run: Callable[[], None], stop: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._name = name
        self._run = run
        self._stop = stop
        self._failed = failed
        self._stopping = False
        # A daemon: after the second signal, or past every timeout, nothing may keep the process.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stopping = True
        self._stop()
        await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - told to the process, which stops
            self._failed(error)
            return
        if not self._stopping:
            self._failed(ComponentEnded(f"component ended unasked: component={self._name}", hint="restart the process"))
