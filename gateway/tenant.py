"""From request headers to a tenant id that is safe as a label value, a log key and a part of a path."""

import re

from multidict import CIMultiDictProxy

from forebay.errors import InvalidData
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


class TenantReader:
    """Reads the tenant of a request."""

    def __init__(self, settings: TenancySettings) -> None:
        if settings.default_tenant:
            check_tenant(settings.default_tenant)
        self._headers = settings.headers
        self._default = settings.default_tenant
        self._last = settings.default_tenant  # most requests in a row are one tenant's, checked before

    def read(self, headers: CIMultiDictProxy[str]) -> str:
        """Raises BadTenant."""
        found = ""
        for name in self._headers:
            for value in headers.getall(name, ()):
                if found and value != found:
                    raise BadTenant(f"tenant headers disagree: {name}={value[:MAX_TENANT_BYTES]!r} other={found!r}")
                if not found and value != self._last:
                    check_tenant(value)
                found = value
        if not found:
            if not self._default:
                raise BadTenant("no tenant named", hint=f"send the header {self._headers[0] if self._headers else '-'}")
            return self._default
        self._last = found
        return found
