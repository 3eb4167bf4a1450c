"""POST /api/v1/write and /api/v1/receive: one remote-write request, from its headers to its answer.

The way of a request:

    negotiate -> tenant -> rate, gate -> read body -> its turn -> decompress -> route -> append -> answer

Where part of a request is refused, 400 says so after the good part of it is durable; other refusals: `gateway.refusal`.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web
from aiohttp.web import HTTPTooManyRequests

from forebay.clock import Clock
from forebay.errors import Fatal, ForebayError
from gateway.answer import rejections
from gateway.body import read_body
from gateway.gate import Gate
from gateway.in_flight import InFlight, Reservation
from gateway.intake import Intake
from gateway.metrics import GatewayMetrics
from gateway.negotiation import REMOTE_WRITE_2, negotiate
from gateway.pieces import can_be_split, store_pieces
from gateway.principal import principal_of
from gateway.rate import RateLimited
from gateway.refusal import refusal_of
from gateway.settings import GatewaySettings
from gateway.tenant import TenantReader
from gateway.written import NOTHING_WRITTEN, written_headers
from wire.large_body import LEAST_PIECE, LargeBody
from wire.snappy import claimed_size, decompress
from wire.write_request import Routed

_NO_CONTENT = 204
_Allows = Callable[[str], bool]


class WriteHandler:
    """Answers write requests; `stop` is told of an error after which the process cannot go on."""

    def __init__(
        self,
        *,
        intake: Intake,
        tenants: TenantReader,
        settings: GatewaySettings,
        in_flight: InFlight,
        gate: Gate,
        executor: ThreadPoolExecutor,
        clock: Clock,
        metrics: GatewayMetrics,
        stop: Callable[[Fatal], None],
    ) -> None:
        self._intake = intake
        self._tenants = tenants
        self._settings = settings
        self._in_flight = in_flight
        self._gate = gate
        self._executor = executor
        self._clock = clock
        self._metrics = metrics
        self._stop = stop

    async def __call__(self, request: web.Request) -> web.Response:
        started = self._clock.monotonic()
        protocol = ""
        reservation = self._in_flight.open()
        try:
            protocol = negotiate(request.headers.get("Content-Type"), request.headers.get("Content-Encoding"))
            with reservation:
                response = await self._write(request, protocol, reservation)
        except (ForebayError, MemoryError) as error:
            self._intake.note_refused(reservation.tenant, error)
            if isinstance(error, Fatal):
                self._stop(error)
            status, text, headers = refusal_of(error, self._gate)
            response = web.Response(status=status, text=f"{text}\n", headers=headers)
            if protocol == REMOTE_WRITE_2:
                stored = error.stored if isinstance(error, RateLimited) else None
                response.headers.update(written_headers(stored) if stored else NOTHING_WRITTEN)
        except Exception:
            self._metrics.requests[500].inc()
            raise  # a bug: the server logs it and answers 500 without telling the sender how we are made
        self._metrics.requests[response.status].inc()
        self._metrics.request_seconds.observe(self._clock.monotonic() - started)
        if response.status == HTTPTooManyRequests.status_code:
            await self._gate.hold()
        return response

    async def _write(self, request: web.Request, protocol: str, reservation: Reservation) -> web.Response:
        settings = self._settings
        message = 2 if protocol == REMOTE_WRITE_2 else 1
        tenant, allows = self._tenants.read(request), principal_of(request).allows
        reservation.belongs_to(tenant)
        declared = request.content_length
        with self._intake.arrive(tenant, declared):
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
            if claimed > size and can_be_split(self._intake.limits(tenant)):
                routed = await self._store_pieces(tenant, compressed, message, allows, reservation)
            else:
                routed = await self._store(tenant, compressed, message, allows, reservation)
        headers = written_headers(routed) if message == 2 else None
        if routed.rejected:
            text = rejections(routed, self._intake.limits(tenant))
            return web.Response(status=400, text=text, headers=headers)
        return web.Response(status=_NO_CONTENT, headers=headers)

    async def _store(
        self, tenant: str, compressed: bytes, message: int, allows: _Allows, reservation: Reservation
    ) -> Routed:
        """All of it at once; the event loop itself works on what is small."""
        size = claimed_size(compressed)
        turn = self._gate.turn(tenant, size)
        if self._gate.beside_loop(size):
            async with turn:
                work = asyncio.get_running_loop().run_in_executor(
                    self._executor, self._route, tenant, compressed, message, allows
                )
                routed = await work
            self._take_grown(routed, size, reservation)
            await self._intake.append(tenant, routed)
        else:
            async with turn:
                routed = self._route(tenant, compressed, message, allows)
                self._take_grown(routed, size, reservation)
                await self._intake.append(tenant, routed)
        self._metrics.wait_seconds.observe(turn.waited)
        return routed

    async def _store_pieces(
        self, tenant: str, compressed: bytes, message: int, allows: _Allows, reservation: Reservation
    ) -> Routed:
        """Piece by piece: a piece, what is decompressed for the next, and records take no more than a request may."""
        size = max(LEAST_PIECE, self._settings.max_body_bytes // 2)
        grown = 0

        def route(piece: bytes) -> Routed:
            return self._intake.route(tenant, piece, message=message, allows=allows)

        async def append(routed: Routed, begun: bool) -> None:  # noqa: FBT001 - told, not asked
            nonlocal grown
            beyond = sum(len(value) for _, value in routed.records) - size - grown
            if beyond > 0:
                reservation.take(beyond)
                grown += beyond
            await self._intake.append(tenant, routed, begun=begun)

        return await store_pieces(
            LargeBody(compressed, message=message, piece_bytes=size),
            turn=lambda: self._gate.turn(tenant, size),
            route=route,
            append=append,
            refused=lambda error: self._intake.note_refused(tenant, error),
            executor=self._executor,
        )

    def _route(self, tenant: str, compressed: bytes, message: int, allows: _Allows) -> Routed:
        body = decompress(compressed, self._settings.max_body_bytes)
        return self._intake.route(tenant, body, message=message, allows=allows)

    @staticmethod
    def _take_grown(routed: Routed, size: int, reservation: Reservation) -> None:
        """Records may be larger than the body they were made of: labels are written out, or repeated."""
        grown = sum(len(value) for _, value in routed.records) - size
        if grown > 0:
            reservation.take(grown)
