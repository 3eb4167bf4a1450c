"""Who may talk to a role's server: TLS, users and tokens as the files say now, for every connection and request.

connection: handshake by the context in force -> client's alternative names
request:    rate limit (429) -> login, where users or tokens are there (401, 503) -> principal -> the role's handlers
"""

import asyncio
import ssl
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter

from forebay.bearer import Tokens, load_tokens
from forebay.clock import Clock
from forebay.credentials import Basic, Bearer, read_credentials
from forebay.passwords import Passwords, PasswordsBusy
from forebay.rejections_page import PAGE as REJECTIONS_PAGE
from forebay.settings import Settings
from forebay.strict_yaml import SettingsError
from forebay.tls import alternative_names, make_context, subject_of, subject_values, tls_files
from forebay.web_config import WebConfig, load_web_config
from gateway.app import PATHS as WRITE_PATHS
from gateway.otlp.handler import PATH as OTLP_PATH
from gateway.principal import ANY, PRINCIPAL, Grant, Principal
from gateway.rejections_api import PATH as REJECTIONS_PATH
from query.remote_read import PATH as READ_PATH

REFUSALS: Final = ("malformed", "unauthorized", "forbidden", "busy", "rate")
TENANT_PATHS: Final = {*WRITE_PATHS, OTLP_PATH, READ_PATH, REJECTIONS_PATH, REJECTIONS_PAGE, "/-/healthy", "/-/ready"}
"""What is there for who may speak for some tenants only. All else tells of all of them, and is for operators."""
_FIELDS = {"commonName": "commonName", "organization": "organizationName"} | {
    "organizationalUnit": "organizationalUnitName"
}
SERVER: Final = "forebay"
"""All that an answer tells of what runs here."""
_RETRY_AFTER = {"Retry-After": "5"}


class AccessMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        refused = Counter(
            "forebay_web_refused_requests_total",
            "Requests refused before they reached a handler: 400, 401, 403, 503 while too many passwords wait, 429.",
            ["reason"],
            registry=registry,
        )
        self.refused = {reason: refused.labels(reason) for reason in REFUSALS}


class _Rules(NamedTuple):
    """What the files say, read together and put in force together."""

    config: WebConfig
    context: ssl.SSLContext | None
    tokens: Tokens
    allowed_names: frozenset[str] | None

    @property
    def login(self) -> bool:
        return bool(self.config.users or self.tokens)


def read_rules(settings: Settings) -> _Rules:
    """Blocks. Raises SettingsError."""
    config = load_web_config(settings.web.config_file)
    tls = config.tls
    if settings.tenancy.certificate_field and not (tls and tls.verifies_clients):
        raise SettingsError(
            "tenancy.certificate_field needs client certificates that are verified",
            hint="set client_auth_type: RequireAndVerifyClientCert in the file of --web.config.file",
        )
    names = frozenset(tls.client_allowed_sans) if tls and tls.client_allowed_sans is not None else None
    directory = Path(settings.web.config_file).parent
    context = make_context(tls, directory) if tls else None
    return _Rules(config, context, load_tokens(settings.auth.bearer_file), names)


class WebAccess:
    """For one event loop; `reload` from any thread."""

    def __init__(self, settings: Settings, registry: CollectorRegistry, clock: Clock) -> None:
        """Blocks. Raises SettingsError."""
        self._settings = settings
        self._clock = clock
        self._metrics = AccessMetrics(registry)
        self._rules = read_rules(settings)
        self._passwords = Passwords(self._rules.config.users)
        self._full_at = 0.0  # when the rate limit's bucket is full again

    def files(self) -> list[Path]:
        """What `reload` reads."""
        web, auth = self._settings.web, self._settings.auth
        tls = tls_files(self._rules.config.tls, Path(web.config_file).parent)
        return [Path(file) for file in (web.config_file, auth.bearer_file) if file] + tls

    def reload(self) -> None:
        """Raises SettingsError, and then changes nothing."""
        old, new = self._rules, read_rules(self._settings)
        if (old.context is None) != (new.context is None):
            raise SettingsError("web config: TLS is turned on or off", hint="restart the process, if that is meant")
        if old.login and not new.login:
            raise SettingsError(
                "web config: no user and no token is left, so that everybody could come in",
                hint="restart the process, if that is meant",
            )
        self._rules = new
        self._passwords.replace(new.config.users)

    def close(self) -> None:
        self._passwords.close()

    def tls(self) -> ssl.SSLContext | None:
        """By which a new connection is made."""
        return self._rules.context

    def may_connect(self, transport: asyncio.BaseTransport) -> bool:
        """Whether the client's certificate, if it has shown one, bears an allowed name."""
        allowed, certificate = self._rules.allowed_names, transport.get_extra_info("peercert")
        return allowed is None or not certificate or not allowed.isdisjoint(alternative_names(certificate))

    def malformed(self) -> None:
        """A request could not be read."""
        self._metrics.refused["malformed"].inc()

    def install(self, app: web.Application) -> None:
        """Puts it before every handler of `app`."""
        app.middlewares.append(self._enter)
        app.on_response_prepare.append(self._add_headers)

    async def _add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = SERVER
        for name, value in self._rules.config.headers.items():
            response.headers[name] = value

    @web.middleware
    async def _enter(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        rules = self._rules
        if self._is_over_rate(rules):
            self._metrics.refused["rate"].inc()
            return web.Response(status=429, text="too many requests\n", headers={"Retry-After": "1"})
        principal: Principal | None = Principal()
        if rules.login and request.path not in self._settings.auth.open_paths:
            try:
                principal = await self._login(rules, request)
            except PasswordsBusy as error:
                self._metrics.refused["busy"].inc()
                return web.Response(status=503, text=f"{error}\n", headers=_RETRY_AFTER)
        if principal is None:
            self._metrics.refused["unauthorized"].inc()
            ways = (("Basic", rules.config.users), ("Bearer", rules.tokens))
            challenge = ", ".join(f'{way} realm="forebay"' for way, known in ways if known)
            return web.Response(status=401, text="unauthorized\n", headers={"WWW-Authenticate": challenge})
        request[PRINCIPAL] = principal = self._with_certificate(principal, request)
        path = request.path
        if not principal.allows_all and path not in TENANT_PATHS and path not in self._settings.auth.open_paths:
            self._metrics.refused["forbidden"].inc()
            return web.Response(status=403, text="this is for operators, who may speak for every tenant\n")
        return await handler(request)

    async def _login(self, rules: _Rules, request: web.Request) -> Principal | None:
        match read_credentials(request.headers.getall("Authorization", [])):
            case Bearer(given):
                token = rules.tokens.find(given)
                return Principal(token=token.name, grants=(token.grant,)) if token else None
            case Basic(user, password) if rules.config.users:
                if await self._passwords.check(user, password, str(request.remote)):
                    return Principal(user=user, grants=self._grants_of(user))
        return None

    def _grants_of(self, user: str) -> tuple[Grant, ...]:
        users = self._settings.tenancy.users
        if isinstance(users, dict):
            return (tuple(users.get(user, ())),)
        return () if users == ANY else ((user,),)

    def _with_certificate(self, principal: Principal, request: web.Request) -> Principal:
        field = self._settings.tenancy.certificate_field
        certificate: dict[str, Any] | None = request.get_extra_info("peercert")
        if certificate:
            principal = principal._replace(certificate=subject_of(certificate))
        if field and (certificate or not principal.grants):
            # Without a certificate nobody is known, and who is not known speaks for no tenant.
            values = subject_values(certificate, _FIELDS[field]) if certificate else ()
            principal = principal._replace(grants=(*principal.grants, values))
        return principal

    def _is_over_rate(self, rules: _Rules) -> bool:
        limit = rules.config.rate_limit
        if limit is None or not limit.interval:
            return False
        now, interval = self._clock.monotonic(), limit.interval.seconds
        full_at = max(self._full_at, now) + interval
        if full_at - now > limit.burst * interval:
            return True
        self._full_at = full_at
        return False
