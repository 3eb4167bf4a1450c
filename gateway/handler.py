"""What every request that writes has in common: its components, its counters, and what becomes of an error."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web import HTTPTooManyRequests

from forebay.clock import Clock
from forebay.errors import Fatal, ForebayError
from gateway.gate import Gate
from gateway.in_flight import InFlight, Reservation
from gateway.intake import Intake
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.tenant import TenantReader


@dataclass(frozen=True)
class Components:
    """What handlers are made of; `stop` is told of an error after which the process cannot go on."""

    intake: Intake
    tenants: TenantReader
    settings: GatewaySettings
    in_flight: InFlight
    gate: Gate
    executor: ThreadPoolExecutor
    clock: Clock
    metrics: GatewayMetrics
    stop: Callable[[Fatal], None]


class Handler(ABC):
    """Answers requests of one protocol."""

    def __init__(self, components: Components) -> None:
        self._intake = components.intake
        self._tenants = components.tenants
        self._settings = components.settings
        self._in_flight = components.in_flight
        self._gate = components.gate
        self._executor = components.executor
        self._clock = components.clock
        self._metrics = components.metrics
        self._stop = components.stop

    async def __call__(self, request: web.Request) -> web.Response:
        started = self._clock.monotonic()
        reservation = self._in_flight.open()
        try:
            with reservation:
                response = await self._store(request, reservation)
        except (ForebayError, MemoryError) as error:
            self._intake.note_refused(reservation.tenant, error)
            if isinstance(error, Fatal):
                self._stop(error)
            response = self._refuse(request, error)
        except Exception:
            self._metrics.requests[500].inc()
            raise  # a bug: the server logs it and answers 500 without telling the sender how we are made
        self._metrics.requests[response.status].inc()
        self._metrics.request_seconds.observe(self._clock.monotonic() - started)
        if response.status == HTTPTooManyRequests.status_code:
            await self._gate.hold(reservation.tenant)
        return response

    @abstractmethod
    async def _store(self, request: web.Request, reservation: Reservation) -> web.Response:
        """The answer to what was taken, which is durable by then. Raises ForebayError, MemoryError."""

    @abstractmethod
    def _refuse(self, request: web.Request, error: ForebayError | MemoryError) -> web.Response:
        """The answer to a request that could not be taken as a whole."""
