"""One connection's HTTP, as aiohttp speaks it, but for what is no HTTP: that is answered and counted, never logged.

A log line for each would be a way to fill disks, and what stands in a broken header may be a secret.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from forebay.web_access import SERVER

_MAX_WORDS = 200


class HttpHandler(web.RequestHandler):
    """`malformed` is called for each request that could not be read."""

    __slots__ = ("_malformed",)

    def __init__(self, server: web.Server, malformed: Callable[[], None], **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._malformed = malformed

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is ours to answer for is aiohttp's to log."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        self._malformed()
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is sent already")
        # Of what aiohttp has to say, the problem, without the bytes that are one.
        words = (message or "").partition("\n")[0].partition(": b'")[0].partition(': b"')[0].rstrip(": ")
        response = web.Response(
            status=status, text=f"malformed request: {words[:_MAX_WORDS]}\n", headers={"Server": SERVER}
        )
        response.force_close()
        return response
