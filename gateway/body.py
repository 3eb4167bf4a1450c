"""Reads a request's body within bounds of bytes and of time."""

import asyncio

from aiohttp import StreamReader, web

from forebay.errors import Retryable
from gateway.in_flight import Reservation
from wire.snappy import BodyTooLarge


class BodyIncomplete(Retryable):
    """The sender went away, or was too slow."""


async def read_body(request: web.BaseRequest, limit: int, timeout: float, reservation: Reservation) -> bytes:  # noqa: ASYNC109 - the bound is this function's contract
    """The body as it came, each part of it taken from `reservation` when it arrives.

    Raises:
        BodyTooLarge: at the declared length, or at the first byte over `limit` where none was declared.
        BodyIncomplete: it was not there within `timeout` seconds, or the sender went away.
        GatewayFull: the reservation has no room for it.
    """
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(declared, limit)
    content = request.content
    if not content.is_eof():
        try:
            async with asyncio.timeout(timeout):
                return await _read(content, limit, reservation)
        except TimeoutError as error:
            raise BodyIncomplete(f"body did not arrive in time: timeout={timeout:g}s") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BodyIncomplete("sender went away within the body") from error
    return await _read(content, limit, reservation)


async def _read(content: StreamReader, limit: int, reservation: Reservation) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await content.readany():
        size += len(part)
        if size > limit:
            raise _too_large(size, limit)
        reservation.take(len(part))
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(size: int, limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"body is too large: bytes={size} limit={limit}",
        hint="send fewer samples a request (max_samples_per_send), or raise gateway.max_compressed_bytes",
    )
