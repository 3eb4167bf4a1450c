"""Lets requests in flight finish while the server goes down.

aiohttp's own shutdown stops reading at once, so a request whose body is still on its way would wait for nothing.
"""

import asyncio
import time
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

_LOOK_SECONDS = 0.05


class Drain:
    """Counts requests; once draining, each answer ends its connection, so that no further request comes over it."""

    def __init__(self) -> None:
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self.patience = 0.0
        """Seconds that connections without a request are kept, so that the next one still gets its answer, and with it
        the end of the connection. For a process whose place another has taken; where none has, senders better go."""

    async def finished(self, timeout: float) -> bool:  # noqa: ASYNC109 - what is left is ended by the caller
        """From now on the process is draining; True once no request is in flight, False after `timeout` seconds."""
        self._draining = True
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def left(self, connections: Callable[[], int]) -> None:
        """Once `finished`: returns when there are no connections any more, or patience ends."""
        end = time.monotonic() + self.patience
        while connections() and time.monotonic() < end:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(_LOOK_SECONDS)

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        self._requests += 1
        self._idle.clear()
        try:
            response = await handler(request)
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()
        if self._draining:
            response.force_close()
        return response
