"""Reads the body of a remote-read request, within bounds of bytes and of time."""

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import web

from forebay.errors import InvalidData, Retryable
from query.settings import QuerySettings
from wire.snappy import decompressed_size


class QueryBusy(Retryable):
    """Requests that are not answered yet hold all the bytes that settings allow."""


class BodyIncomplete(Retryable):
    """The client went away, or was too slow."""


class Bodies:
    """The bytes of all requests that are not answered yet; for one event loop."""

    def __init__(self, settings: QuerySettings) -> None:
        self.settings = settings
        self.held = 0

    def open(self) -> "Body":
        """One request's share, given back as a whole when its `with` block ends."""
        return Body(self)


class Body:
    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._held = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The body as it came; room for what it decompresses to is taken, too.

        Raises:
            InvalidData: it is too large, at the declared length or at the first byte over the limit.
            BodyIncomplete: it was not there in time, or the client went away.
            QueryBusy: there is no room for it now.
        """
        settings = self._bodies.settings
        if (request.content_length or 0) > settings.max_body_bytes:
            raise _too_large(settings)
        body = bytearray()
        try:
            async with asyncio.timeout(settings.body_timeout.seconds):
                async for part in request.content.iter_chunked(1 << 16):
                    self._take(len(part))
                    body += part
                    if len(body) > settings.max_body_bytes:
                        raise _too_large(settings)
        except TimeoutError as error:
            raise BodyIncomplete(f"body did not arrive in time: timeout={settings.body_timeout}") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BodyIncomplete("client went away within the body") from error
        self._take(decompressed_size(body, settings.max_body_bytes))
        return bytes(body)

    def _take(self, count: int) -> None:
        bodies = self._bodies
        if bodies.held + count > bodies.settings.in_flight_bytes:
            raise QueryBusy(
                f"too many bytes of queries in flight: in_flight={bodies.held} more={count} "
                f"limit={bodies.settings.in_flight_bytes}",
                hint="ask again; raise query.in_flight_bytes where memory allows",
            )
        bodies.held += count
        self._held += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bodies.held -= self._held
        self._held = 0


def _too_large(settings: QuerySettings) -> InvalidData:
    return InvalidData(f"request body is too large: limit={settings.max_body_bytes}")
