"""A server with users, tokens and TLS, and clients that ask it who they are."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import bcrypt
import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry

from forebay.clock import ManualClock
from forebay.errors import InvalidData
from forebay.logs import get_logger
from forebay.readiness import Readiness
from forebay.settings_file import parse_settings
from forebay.web import WebServer, make_app
from forebay.web_access import WebAccess
from gateway.principal import principal_of
from gateway.siblings import Alone
from gateway.tenant import TenantReader
from tests.bucket.certificates import Certificate
from tests.peers.process import free_port

WHO = "/api/v1/write"
"""Answers GET with who asks; it must be a path for tenants."""


LARGE = "/api/v1/read"
"""Answers GET with more than a connection has buffers for."""


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def who(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.text)
        return found


class Guarded:
    """`ask` makes a connection of its own unless a session is given."""

    def __init__(self, directory: Path, port: int, access: WebAccess, registry: CollectorRegistry) -> None:
        self.directory, self.port, self.access, self.registry = directory, port, access, registry
        self.clock: ManualClock

    def write(self, name: str, document: Any) -> None:
        (self.directory / name).write_text(yaml.safe_dump(document))

    def trust(self, client: Certificate | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.directory / "ca" / "authority.crt")
        if client is not None:
            context.load_cert_chain(client.cert, client.key)
        return context

    async def ask(
        self,
        path: str = WHO,
        *,
        login: tuple[str, str] | str | None = None,
        tenant: str = "",
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """`login` is user and password, or a token. Raises aiohttp.ClientError where there is no answer."""
        sent = dict(headers or {}) | ({"X-Scope-OrgID": tenant} if tenant else {})
        if isinstance(login, tuple):
            sent["Authorization"] = aiohttp.encode_basic_auth(*login)
        elif login is not None:
            sent["Authorization"] = f"Bearer {login}"
        scheme = "https" if tls else "http"
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{scheme}://localhost:{self.port}{path}", headers=sent, ssl=tls or True) as answer,
        ):
            return Answer(answer.status, dict(answer.headers), await answer.text())

    def refused(self, reason: str) -> float | None:
        return self.registry.get_sample_value("forebay_web_refused_requests_total", {"reason": reason})


@asynccontextmanager
async def guarded(directory: Path, settings: dict[str, Any], **files: Any) -> AsyncIterator[Guarded]:
    """`files` are written to NAME.yml: `web` and `bearer` are those of the settings."""
    registry, clock = CollectorRegistry(), ManualClock()
    given: dict[str, Any] = {"web": {"listen_address": f"localhost:{(port := free_port())}"}}
    if "web" in files:
        given["web"]["config_file"] = str(directory / "web.yml")
    if "bearer" in files:
        given["auth"] = {"bearer_file": str(directory / "bearer.yml")}
    for name, document in files.items():
        (directory / f"{name}.yml").write_text(yaml.safe_dump(document))
    for name, section in settings.items():
        given[name] = given.get(name, {}) | section
    chosen = parse_settings(yaml.safe_dump(given), {})
    async with AsyncExitStack() as stack:
        access = WebAccess(chosen, registry, clock)
        stack.callback(access.close)
        tenants = TenantReader(chosen.tenancy)

        async def who(request: web.Request) -> web.Response:
            found = principal_of(request)
            try:
                tenant = tenants.read(request)
            except InvalidData as error:
                return web.Response(status=403, text=str(error))
            named = {"user": found.user, "token": found.token, "certificate": found.certificate}
            return web.json_response(named | {"tenant": tenant})

        async def large(_: web.Request) -> web.Response:
            return web.Response(body=bytes(32 << 20))

        app = make_app(registry, Readiness(), Alone())
        app.router.add_get(WHO, who)
        app.router.add_get(LARGE, large)
        server = WebServer(app, chosen.web, "", get_logger("web"), access=access)
        await server.start()
        stack.push_async_callback(server.stop)
        made = Guarded(directory, port, access, registry)
        made.clock = clock
        yield made
