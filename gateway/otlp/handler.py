"""POST /api/v1/otlp/v1/metrics: one ExportMetricsServiceRequest, from its headers to its answer.

The way of a request is that of a remote-write request (gateway/write.py), with the translation before the routing:

    negotiate -> tenant -> rate, gate -> read body -> its turn -> inflate -> decode
      -> translate -> route -> append -> answer

What could not be stored is named in the answer, as partial success, after the rest is durable.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from aiohttp import web

from forebay.errors import ForebayError
from gateway.body import read_body
from gateway.handler import Components, Handler
from gateway.in_flight import Reservation
from gateway.otlp.answer import accepted, refused
from gateway.otlp.body import claimed_size, decode, decoded_size, inflate, too_large, too_much
from gateway.otlp.export import Export
from gateway.otlp.negotiation import JSON, Form, negotiate
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.translation import Translation
from gateway.principal import Principal, principal_of
from gateway.rate import Arrival
from gateway.refusal import refusal_of
from wire.snappy import BodyTooLarge
from wire.write_request import Routed

REQUEST_BYTES: Final = 8 << 20
"""Of each remote-write request that one OTLP request becomes, labels written out as in records: so a large one needs no
more memory at a time, and stays within what the walk may repeat."""
PATH: Final = "/api/v1/otlp/v1/metrics"
_WORK: Final = 32
"""What a byte of OTLP costs, in bytes of remote write: the measure of the gate."""
_T = TypeVar("_T")


class OtlpHandler(Handler):
    """Answers OTLP requests."""

    def __init__(self, otlp: OtlpSettings, components: Components) -> None:
        super().__init__(components)
        self._otlp = otlp
        # What the budget leaves beside the bytes of the largest request, where that is most of it.
        budget = self._settings.in_flight_bytes
        self._max_decoded = max(budget - self._settings.largest_request, budget // 2)

    async def _store(self, request: web.Request, reservation: Reservation) -> web.Response:
        settings = self._settings
        form = negotiate(request.headers.get("Content-Type"), request.headers.get("Content-Encoding"))
        tenant = self._tenants.read(request)
        reservation.belongs_to(tenant)
        declared = request.content_length
        with self._intake.arrive(tenant, declared) as arrival:
            self._gate.check(tenant, declared and declared * _WORK)
            body = await read_body(request, settings.max_compressed_bytes, settings.body_timeout.seconds, reservation)
            self._metrics.received_bytes.inc(len(body))
            if declared is None:
                self._intake.check_size(tenant, len(body))
            size = self._declared(body, form)
            work = _WORK * size
            beside = self._gate.beside_loop(work)
            run = self._beside_loop if beside else _at_once
            exchange = _Exchange(tenant, principal_of(request), reservation, arrival, run)
            async with self._gate.turn(tenant, work) as turn:
                export = await self._begun(exchange, form, body)
                routed = await run(export.next)
                if not beside:
                    await self._append(exchange, export, routed)
            if beside:
                await self._append(exchange, export, routed)
            self._metrics.wait_seconds.observe(turn.waited)
        return accepted(export.refused_points, export.reasons, is_json=form.is_json)

    def _refuse(self, request: web.Request, error: ForebayError | MemoryError) -> web.Response:
        return refused(refusal_of(error, self._gate), is_json=request.content_type == JSON)

    def _declared(self, body: bytes, form: Form) -> int:
        """Decompressed bytes, as far as the body says. Raises BodyTooLarge."""
        size, limit = claimed_size(body) if form.is_gzip else len(body), self._settings.max_body_bytes
        if size > limit:
            raise too_large(size, limit)
        return size

    async def _begun(self, exchange: "_Exchange", form: Form, body: bytes) -> Export:
        run = exchange.run
        if form.is_gzip:
            body = await self._inflated(exchange, body)
        self._metrics.body_bytes.observe(len(body))
        needed = await run(lambda: decoded_size(body, form))
        if needed > self._max_decoded:
            raise too_much(needed, self._max_decoded)
        exchange.reservation.take(needed + self._intake.copies * len(body))  # as objects, and as records made of them
        exchange.records = len(body)
        now, limits = self._clock.now_ms(), self._intake.limits(exchange.tenant)
        translation = Translation(self._otlp, now - limits.max_age, now + limits.max_future, REQUEST_BYTES)

        def route(part: bytes) -> Routed:
            return self._intake.route(exchange.tenant, part, message=2, allows=exchange.principal.allows)

        return await run(lambda: Export(decode(body, form), translation, route))

    async def _inflated(self, exchange: "_Exchange", body: bytes) -> bytes:
        claimed, limit = claimed_size(body), self._settings.max_body_bytes
        exchange.reservation.take(claimed)
        try:
            return await exchange.run(lambda: inflate(body, claimed))
        except BodyTooLarge:
            if claimed == limit:
                raise
        exchange.reservation.take(limit - claimed)  # more than one member, or it lies
        return await exchange.run(lambda: inflate(body, limit))

    async def _append(self, exchange: "_Exchange", export: Export, routed: Routed | None) -> None:
        while routed is not None:
            exchange.take_records(routed)
            # What is stored of a request entitles it to the rest, or a tenant with a low rate would never end one.
            await self._intake.append(exchange.tenant, routed, exchange.arrival)
            routed = await exchange.run(export.next)

    async def _beside_loop(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class _Run(Protocol):
    """Does work at once, or beside the event loop."""

    async def __call__(self, work: Callable[[], _T], /) -> _T: ...


async def _at_once(work: Callable[[], _T]) -> _T:
    return work()


@dataclass
class _Exchange:
    """One request on its way."""

    tenant: str
    principal: Principal
    reservation: Reservation
    arrival: Arrival
    run: _Run
    records: int = 0
    """Bytes of records that are reserved."""

    def take_records(self, routed: Routed) -> None:
        """Records may be larger than the body they were made of: labels are written out. Raises GatewayFull."""
        size = sum(len(value) for _, value in routed.records)
        if size > self.records:
            self.reservation.take(size - self.records)
            self.records = size
