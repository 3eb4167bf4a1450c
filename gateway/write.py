"""POST /api/v1/write and /api/v1/receive: one remote-write request, from its headers to its answer.

The way of a request:

    negotiate -> tenant -> rate, gate -> read body -> its turn -> decompress -> route -> append -> answer

Where part of a request is refused, 400 says so after the good part of it is durable; other refusals: `gateway.refusal`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from forebay.errors import ForebayError
from gateway.answer import rejections
from gateway.body import read_body
from gateway.handler import Handler
from gateway.in_flight import Reservation
from gateway.negotiation import REMOTE_WRITE_2, UnsupportedMedia, negotiate
from gateway.pieces import can_be_split, store_pieces
from gateway.principal import principal_of
from gateway.rate import Arrival, RateLimited
from gateway.refusal import refusal_of
from gateway.written import NOTHING_WRITTEN, written_headers
from wire.large_body import LEAST_PIECE, LargeBody
from wire.snappy import claimed_size, decompress
from wire.write_request import Routed

_NO_CONTENT = 204


class WriteHandler(Handler):
    """Answers remote-write requests."""

    async def _store(self, request: web.Request, reservation: Reservation) -> web.Response:
        settings = self._settings
        message = 2 if _protocol(request) == REMOTE_WRITE_2 else 1
        tenant, allows = self._tenants.read(request), principal_of(request).allows
        reservation.belongs_to(tenant)
        declared = request.content_length
        with self._intake.arrive(tenant, declared) as arrival:
            self._gate.check(tenant, declared)
            compressed = await read_body(
                request, settings.max_compressed_bytes, settings.body_timeout.seconds, reservation
            )
            self._metrics.received_bytes.inc(len(compressed))
            if declared is None:
                self._intake.check_size(tenant, len(compressed))
            claimed = claimed_size(compressed)
            self._metrics.body_bytes.observe(claimed)
            size = min(claimed, settings.max_body_bytes)
            reservation.take(self._intake.copies * size)
            write = _Write(tenant, compressed, message, allows, reservation, arrival)
            split = claimed > size and can_be_split(self._intake.limits(tenant))
            routed = await (self._store_pieces(write) if split else self._store_whole(write, size))
        headers = written_headers(routed) if message == 2 else None
        if routed.rejected:
            text = rejections(routed, self._intake.limits(tenant))
            return web.Response(status=400, text=text, headers=headers)
        return web.Response(status=_NO_CONTENT, headers=headers)

    def _refuse(self, request: web.Request, error: ForebayError | MemoryError) -> web.Response:
        status, text, headers = refusal_of(error, self._gate)
        response = web.Response(status=status, text=f"{text}\n", headers=headers)
        with suppress(UnsupportedMedia):
            if _protocol(request) == REMOTE_WRITE_2:
                stored = error.stored if isinstance(error, RateLimited) else None
                response.headers.update(written_headers(stored) if stored else NOTHING_WRITTEN)
        return response

    async def _store_whole(self, write: "_Write", size: int) -> Routed:
        """All of it at once; the event loop itself works on what is small."""
        turn = self._gate.turn(write.tenant, size)
        if self._gate.beside_loop(size):
            async with turn:
                routed = await asyncio.get_running_loop().run_in_executor(self._executor, self._route, write)
            write.take_grown(routed, size)
            await self._intake.append(write.tenant, routed, write.arrival)
        else:
            async with turn:
                routed = self._route(write)
                write.take_grown(routed, size)
                await self._intake.append(write.tenant, routed, write.arrival)
        self._metrics.wait_seconds.observe(turn.waited)
        return routed

    async def _store_pieces(self, write: "_Write") -> Routed:
        """Piece by piece: a piece, what is decompressed for the next, and records take no more than a request may."""
        size = max(LEAST_PIECE, self._settings.max_body_bytes // 2)

        def route(piece: bytes) -> Routed:
            return self._intake.route(write.tenant, piece, message=write.message, allows=write.allows)

        async def append(routed: Routed) -> None:
            write.take_grown(routed, size)
            await self._intake.append(write.tenant, routed, write.arrival)

        return await store_pieces(
            LargeBody(write.compressed, message=write.message, piece_bytes=size),
            turn=lambda: self._gate.turn(write.tenant, size),
            route=route,
            append=append,
            refused=lambda error: self._intake.note_refused(write.tenant, error),
            executor=self._executor,
        )

    def _route(self, write: "_Write") -> Routed:
        body = decompress(write.compressed, self._settings.max_body_bytes)
        return self._intake.route(write.tenant, body, message=write.message, allows=write.allows)


def _protocol(request: web.Request) -> str:
    return negotiate(request.headers.get("Content-Type"), request.headers.get("Content-Encoding"))


@dataclass(slots=True)
class _Write:
    """One request, read and not stored yet."""

    tenant: str
    compressed: bytes
    message: int
    allows: Callable[[str], bool]
    reservation: Reservation
    arrival: Arrival
    grown: int = 0
    """Bytes that are reserved for records besides those of a body."""

    def take_grown(self, routed: Routed, size: int) -> None:
        """Records may be larger than the `size` they were made of: labels are written out, or repeated.

        Raises GatewayFull.
        """
        beyond = sum(len(value) for _, value in routed.records) - size - self.grown
        if beyond > 0:
            self.reservation.take(beyond)
            self.grown += beyond
