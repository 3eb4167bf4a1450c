"""GET /api/v1/tenant/rejections: a tenant reads what was refused of its samples, an operator of everybody's."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from forebay.errors import Forbidden, InvalidData
from gateway.limits import LimitSettings
from gateway.principal import principal_of
from gateway.reasons import advice
from gateway.rejections_report import ReasonReport, TenantReport
from gateway.rejections_view import RejectionsView, View
from gateway.tenant import TenantForbidden, TenantReader, check_tenant

PATH = "/api/v1/tenant/rejections"
ALL = ""
"""Stands for every tenant, and cannot be one; in a request it is `?tenant=*`."""
_TENANTS_SHOWN = 100
_MOST_TENANTS = 1000


class RejectionsApi:
    """Answers in Prometheus' envelope: `status`, and `data` or `errorType` and `error`."""

    def __init__(
        self,
        view: RejectionsView,
        *,
        tenants: TenantReader,
        limits_of: Callable[[str], LimitSettings],
    ) -> None:
        """A request is an operator's where it may write for every tenant; others see the tenants of their own."""
        self._view = view
        self._tenants = tenants
        self._limits_of = limits_of

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.get(PATH, self._answer)]

    def asked(self, request: web.Request, default: str | None = None) -> str:
        """Whose rejections a request is about: a tenant, or ALL; `default` where an operator names none.

        Raises BadTenant, TenantForbidden.
        """
        named, principal = request.query.get("tenant"), principal_of(request)
        operator = principal.allows_all
        if named is None:
            return default if operator and default is not None else self._tenants.read(request)
        tenant = ALL if named == "*" else check_tenant(named)
        if not operator and (tenant == ALL or not principal.allows(tenant)):
            raise TenantForbidden(
                f"rejections of other tenants are for operators: tenant={named!r} user={principal.user!r} "
                f"token={principal.token!r} certificate={principal.certificate!r}",
                hint="ask for its own tenant; or as who may write for every tenant: tenants: ['*']",
            )
        return tenant

    async def look(self, tenant: str, most: int = _TENANTS_SHOWN) -> View:
        """What `asked` returned, looked at."""
        return await (self._view.top(most) if tenant == ALL else self._view.of(tenant))

    def data(self, view: View) -> dict[str, Any]:
        """What is answered, with what can be done about each reason."""
        return {
            "tenants": [self._tenant(report) for report in view.tenants],
            "count": view.count,
            "forgotten": view.forgotten,
            "after_ack": msgspec.to_builtins(view.after_ack),
        }

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            tenant = self.asked(request)
            most = _read_limit(request.query.get("limit", str(_TENANTS_SHOWN)))
        except Forbidden as error:
            return _error(403, "forbidden", str(error))
        except InvalidData as error:
            return _error(400, "bad_data", str(error))
        view = await self.look(tenant, most)
        document = {"status": "success", "data": self.data(view)}
        return _json(200, document | ({"warnings": list(view.problems)} if view.problems else {}))

    def _tenant(self, report: TenantReport) -> dict[str, Any]:
        limits = self._limits_of(report.tenant)
        document: dict[str, Any] = msgspec.to_builtins(report)
        document["samples"], document["shadow_samples"] = report.samples, report.shadow_samples
        document["max_active_series"] = limits.max_active_series
        document["reasons"] = [_reason(each, limits) for each in report.reasons]
        return document


def _reason(each: ReasonReport, limits: LimitSettings) -> dict[str, Any]:
    setting, remedy = advice(each.reason)
    document: dict[str, Any] = msgspec.to_builtins(each)
    limit = getattr(limits, setting, None) if setting else None
    return document | {"setting": setting, "limit": None if limit is None else str(limit), "remedy": remedy}


def _read_limit(text: str) -> int:
    if not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= _MOST_TENANTS:
        raise InvalidData(f"limit must be from 1 to {_MOST_TENANTS}: limit={text[:50]!r}")
    return int(text)


def _error(status: int, kind: str, text: str) -> web.Response:
    return _json(status, {"status": "error", "errorType": kind, "error": text})


def _json(status: int, document: dict[str, Any]) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json")
