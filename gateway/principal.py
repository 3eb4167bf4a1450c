"""Who sent a request, as far as it has proved it, and which tenants it may speak for."""

from typing import Final, NamedTuple

from aiohttp import web

ANY: Final = "*"
"""In a grant: whichever tenant the request's header names."""

Grant = tuple[str, ...]
"""Tenants that one proof of identity allows: the first is meant where no header names one. Empty: none."""


class Principal(NamedTuple):
    """What authentication found out. A tenant must be allowed by every grant; without any, every tenant is."""

    user: str = ""
    """Of basic authentication."""
    token: str = ""
    """Name of the bearer token, never the token."""
    certificate: str = ""
    """Subject of the TLS client certificate, verified."""
    grants: tuple[Grant, ...] = ()

    def allows(self, tenant: str) -> bool:
        return all(tenant in grant or ANY in grant for grant in self.grants)

    @property
    def allows_all(self) -> bool:
        return all(ANY in grant for grant in self.grants)

    @property
    def own_tenant(self) -> str:
        """The tenant where no header names one, or "" where the grants leave that open."""
        return next((grant[0] for grant in self.grants if grant and grant[0] != ANY), "")


ANONYMOUS: Final = Principal()
PRINCIPAL: Final = web.RequestKey("PRINCIPAL", Principal)
"""Where authentication leaves it, before a handler runs; missing where nobody has to prove anything."""


def principal_of(request: web.BaseRequest) -> Principal:
    """Whom authentication found; ANONYMOUS where it has not looked."""
    found: Principal = request.get(PRINCIPAL, ANONYMOUS)
    return found
