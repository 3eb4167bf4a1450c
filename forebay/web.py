"""The HTTP server of every role: health, readiness, metrics, and what the role adds."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from forebay.connections import ConnectionMetrics, Connections, guarded
from forebay.drain import Drain
from forebay.http_handler import HttpHandler
from forebay.listener import CannotListen, Listener, bind
from forebay.metrics_view import View, merge
from forebay.readiness import Readiness
from forebay.settings import WebSettings, host_and_port
from forebay.web_access import WebAccess
from gateway.app import SERVER_OPTIONS
from gateway.siblings import Siblings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REGISTRY: Final = web.AppKey("REGISTRY", CollectorRegistry)
SIBLINGS: Final = web.AppKey[Siblings]("SIBLINGS")
READINESS: Final = web.AppKey("READINESS", Readiness)
DRAIN: Final = web.AppKey("DRAIN", Drain)
_KEEP_ALIVE_SECONDS = 75.0
_CUT_SECONDS = 5.0  # for answers on their way out, once no request is in flight any more


def make_app(registry: CollectorRegistry, readiness: Readiness, siblings: Siblings) -> web.Application:
    """The routes that every role has; all answer GET and HEAD, and for all processes behind the port."""
    drain = Drain()
    app = web.Application(middlewares=[guarded, drain.count])
    app[REGISTRY] = registry
    app[DRAIN] = drain
    app[READINESS] = readiness
    app[SIBLINGS] = siblings
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready)
    app.router.add_get("/metrics", make_aiohttp_handler(registry) if siblings.processes == 1 else _metrics_of_all)
    return app


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="healthy\n")


async def _metrics_of_all(request: web.Request) -> web.StreamResponse:
    replies = await request.app[SIBLINGS].gather("metrics")
    merged = merge(reply.value for reply in replies if not reply.problem)
    return await make_aiohttp_handler(View(merged).registry())(request)


async def _ready(request: web.Request) -> web.Response:
    siblings = request.app[SIBLINGS]
    if siblings.processes == 1:
        objections = request.app[READINESS].objections()
    else:
        objections = [
            f"process {reply.process}: {objection}"
            for reply in await siblings.gather("ready")
            for objection in ([reply.problem] if reply.problem else reply.value)
        ]
    if objections:
        return web.Response(status=503, text="not ready\n" + "".join(f"{each}\n" for each in objections))
    return web.Response(text="ready\n")


class WebServer:
    """Serves one application on one address."""

    def __init__(
        self,
        app: web.Application,
        settings: WebSettings,
        default_address: str,
        logger: "FilteringBoundLogger",
        *,
        access: WebAccess,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """`sockets` listen already, where there are any, and become the server's own."""
        access.install(app)
        self._access = access
        self.address = settings.listen_address or default_address
        self._readiness = app[READINESS]
        self._drain = app[DRAIN]
        self._sockets = sockets
        self._drain_delay = settings.drain_delay.seconds
        self._timeout = settings.shutdown_timeout.seconds
        self._logger = logger
        self._connections = Connections(
            settings.max_connections,
            header_timeout=settings.header_timeout.seconds,
            write_timeout=settings.write_timeout.seconds,
            metrics=ConnectionMetrics(app[REGISTRY]),
        )
        self._listener: Listener | None = None
        self._options = SERVER_OPTIONS | {
            "access_log": None,
            "keepalive_timeout": _KEEP_ALIVE_SECONDS,
            "logger": logging.getLogger("web"),
        }
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_CUT_SECONDS, **self._options)

    async def start(self) -> None:
        """Raises CannotListen."""
        try:
            sockets = list(self._sockets) or bind(*host_and_port(self.address))
        except OSError as error:
            raise CannotListen(
                f"cannot listen: address={self.address} error={error.strerror or error}",
                hint="choose another with --web.listen-address",
            ) from error
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - for the type checker: it is there after setup
        options = {name: value for name, value in self._options.items() if name != "handler_cancellation"}
        self._listener = Listener(
            sockets,
            partial(HttpHandler, server, self._access.malformed, **options),
            self._connections,
            tls=self._access.tls,
            check=self._access.may_connect,
            logger=self._logger,
        )
        self._listener.start()

    async def stop(self) -> None:
        """Unready, then no new connections, then the end of the requests in flight."""
        self._readiness.drain()
        await asyncio.sleep(self._drain_delay)
        if self._listener is not None:
            self._listener.stop()
        ended = await self._drain.finished(self._timeout)
        if ended:
            await self._drain.left(self._open)
            ended = await self._drain.finished(self._timeout)
        if not ended:
            self._logger.warning("requests in flight are cut off", waited_seconds=self._timeout)
        await self._runner.cleanup()

    def _open(self) -> int:
        return len(self._runner.server.connections) if self._runner.server else 0
