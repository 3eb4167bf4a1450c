"""From a request to a tenant id that is safe as a label value, a log key and a part of a path."""

import re
from collections.abc import Iterable

from aiohttp import web

from forebay.errors import Forbidden, InvalidData
from gateway.principal import ANY, principal_of
from gateway.settings import TenancySettings

MAX_TENANT_BYTES = 150
_ALLOWED = re.compile(r"[A-Za-z0-9!\-_.*'()]{1,150}")


class BadTenant(InvalidData):
    """The request names no tenant, two tenants, or one that cannot be."""


def check_tenant(tenant: str) -> str:
    """The tenant as it came; the rules are Mimir's, so that ids can be taken along. Raises BadTenant."""
    if len(tenant) > MAX_TENANT_BYTES:
        raise BadTenant(f"tenant id is too long: bytes={len(tenant)} max={MAX_TENANT_BYTES}")
    if tenant in {".", ".."} or _ALLOWED.fullmatch(tenant) is None:
        raise BadTenant(
            f"not a tenant id: tenant={tenant!r}",
            hint="letters, digits and !-_.*'() are allowed, . and .. alone are not",
        )
    return tenant


def check_grant(tenants: Iterable[str]) -> None:
    """Whether somebody can be granted these. Raises BadTenant where there is none, or one that cannot be."""
    tenants = tuple(tenants)
    if not tenants:
        raise BadTenant('no tenant is granted: one must be named, or "*" for all')
    for tenant in tenants:
        if tenant != ANY:
            check_tenant(tenant)


class TenantForbidden(Forbidden):
    """The sender is known, and may not speak for this tenant."""


class TenantReader:
    """What a request's header names, within what its principal may; else the principal's own one; else the default."""

    def __init__(self, settings: TenancySettings) -> None:
        if settings.default_tenant:
            check_tenant(settings.default_tenant)
        self._headers = settings.headers
        self._default = settings.default_tenant
        self._last = settings.default_tenant  # most requests in a row are one tenant's, checked before

    def read(self, request: web.BaseRequest) -> str:
        """Raises BadTenant, TenantForbidden."""
        named, principal = self._named(request), principal_of(request)
        tenant = named or principal.own_tenant or self._default_of_all()
        if principal.grants:
            if not named:
                check_tenant(tenant)  # a certificate's field may hold anything
            if not principal.allows(tenant):
                raise TenantForbidden(
                    f"this sender may not speak for the tenant: tenant={tenant!r} user={principal.user!r} "
                    f"token={principal.token!r} certificate={principal.certificate!r}",
                    hint="name its own tenant or none; or widen tenancy.users, or the token's tenants",
                )
        return tenant

    def _named(self, request: web.BaseRequest) -> str:
        """By a header, or ""."""
        headers, found = request.headers, ""
        for name in self._headers:
            for value in headers.getall(name, ()):
                if found and value != found:
                    raise BadTenant(f"tenant headers disagree: {name}={value[:MAX_TENANT_BYTES]!r} other={found!r}")
                if not found and value != self._last:
                    check_tenant(value)
                found = value
        if found:
            self._last = found
        return found

    def _default_of_all(self) -> str:
        if not self._default:
            raise BadTenant("no tenant named", hint=f"send the header {self._headers[0] if self._headers else '-'}")
        return self._default
