"""The HTTP server of every role: health, readiness, metrics, and what the role adds."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from forebay.connections import ConnectionMetrics, Connections, guarded
from forebay.drain import Drain
from forebay.listener import CannotListen, Listener, bind
from forebay.readiness import Readiness
from forebay.settings import WebSettings, host_and_port
from gateway.app import SERVER_OPTIONS

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REGISTRY: Final = web.AppKey("REGISTRY", CollectorRegistry)
READINESS: Final = web.AppKey("READINESS", Readiness)
DRAIN: Final = web.AppKey("DRAIN", Drain)
_KEEP_ALIVE_SECONDS = 75.0
_CUT_SECONDS = 5.0  # for answers on their way out, once no request is in flight any more


def make_app(registry: CollectorRegistry, readiness: Readiness) -> web.Application:
    """The routes that every role has; all answer GET and HEAD."""
    drain = Drain()
    app = web.Application(middlewares=[guarded, drain.count])
    app[REGISTRY] = registry
    app[DRAIN] = drain
    app[READINESS] = readiness
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready)
    app.router.add_get("/metrics", make_aiohttp_handler(registry))
    return app


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="healthy\n")


async def _ready(request: web.Request) -> web.Response:
    objections = request.app[READINESS].objections()
    if objections:
        return web.Response(status=503, text="not ready\n" + "".join(f"{each}\n" for each in objections))
    return web.Response(text="ready\n")


class WebServer:
    """Serves one application on one address."""

    def __init__(
        self, app: web.Application, settings: WebSettings, default_address: str, logger: "FilteringBoundLogger"
    ) -> None:
        self.address = settings.listen_address or default_address
        self._readiness = app[READINESS]
        self._drain = app[DRAIN]
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
        self._runner = web.AppRunner(
            app,
            access_log=None,
            **SERVER_OPTIONS,
            handle_signals=False,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            logger=logging.getLogger("web"),
            shutdown_timeout=_CUT_SECONDS,
        )

    async def start(self) -> None:
        """Raises CannotListen."""
        try:
            sockets = bind(*host_and_port(self.address))
        except OSError as error:
            raise CannotListen(
                f"cannot listen: address={self.address} error={error.strerror or error}",
                hint="choose another with --web.listen-address",
            ) from error
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - for the type checker: it is there after setup
        self._listener = Listener(
            sockets, server, self._connections, tls=lambda: None, check=lambda _: True, logger=self._logger
        )
        self._listener.start()

    async def stop(self) -> None:
        """Unready, then no new connections, then the end of the requests in flight."""
        self._readiness.drain()
        await asyncio.sleep(self._drain_delay)
        if self._listener is not None:
            self._listener.stop()
        if not await self._drain.finished(self._timeout):
            self._logger.warning("requests in flight are cut off", waited_seconds=self._timeout)
        await self._runner.cleanup()
