"""GET /tenant/rejections: who was cut, by what, how much, and what to set; as /api/v1/tenant/rejections has it."""

import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any

from aiohttp import web

from forebay.errors import Forbidden, InvalidData
from forebay.html import NOTHING, document, number, table, text, when
from gateway.rejections_api import ALL, PATH, RejectionsApi

PAGE = "/tenant/rejections"
_REASON_HEADS = ("reason", "refused", "in shadow", "requests", "last", "limit now", "what to do")
_TENANT_HEADS = ("tenant", "refused", "in shadow", "last", "reasons, most first")
_REASONS_SHOWN = 3


class RejectionsPage:
    """Draws what the API answers; an operator who names no tenant sees all of them."""

    def __init__(self, api: RejectionsApi) -> None:
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.get(PAGE, self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            asked = self._api.asked(request, default=ALL)
        except Forbidden as error:
            return web.Response(status=403, text=f"{error}\n")
        except InvalidData as error:
            return web.Response(status=400, text=f"{error}\n")
        view = await self._api.look(asked)
        data = self._api.data(view)
        return web.Response(text=render(data, asked, view.problems), content_type="text/html")


def render(data: dict[str, Any], asked: str, problems: Iterable[str] = ()) -> str:
    """The document; every value in it is escaped."""
    parts = ["<h1>Rejections</h1>", *(f'<p class="bad">{text(each)}</p>' for each in problems)]
    if asked == ALL:
        parts += _all(data)
    else:
        for tenant in data["tenants"]:
            parts += _tenant(tenant)
    parts.append(_after_ack(data["after_ack"]))
    query = urllib.parse.urlencode({"tenant": asked if asked != ALL else "*"})
    parts.append(f'<p class="soft"><a href="{PATH}?{query}">as JSON</a> · <a href="/">status</a></p>')
    return document("Forebay · rejections", parts, refresh=30)


def _all(data: dict[str, Any]) -> Iterator[str]:
    if not data["tenants"]:
        yield '<p class="soft">Nothing was refused of any tenant.</p>'
        return
    yield table(_TENANT_HEADS, map(_tenant_cells, data["tenants"]))
    if data["count"] > len(data["tenants"]):
        yield f'<p class="soft">and {number(data["count"] - len(data["tenants"]))} tenants more</p>'
    if data["forgotten"]:
        yield f'<p class="soft">{number(data["forgotten"])} tenants that were quiet for longest are forgotten</p>'


def _tenant_cells(tenant: dict[str, Any]) -> tuple[str, ...]:
    reasons = sorted(tenant["reasons"], key=lambda each: -each["samples"] - each["shadow_samples"])
    last = max((each["last_time"] for each in reasons), default=None)
    return (
        f'<a href="{PAGE}?{urllib.parse.urlencode({"tenant": tenant["tenant"]})}">{text(tenant["tenant"])}</a>',
        number(tenant["samples"]),
        number(tenant["shadow_samples"]),
        NOTHING if last is None else when(last),
        ", ".join(dict.fromkeys(text(each["reason"]) for each in reasons[:_REASONS_SHOWN])),
    )


def _tenant(tenant: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>{text(tenant['tenant'])}</h2>"
    if limit := tenant["max_active_series"]:
        active = number(tenant["active_series"])
        yield f"<p>{active} active series of <code>max_active_series: {text(limit)}</code></p>"
    for stage, heading in (("gateway", "Refused before the ack"), ("consumer", "Rejected by consumers, after the ack")):
        rows = [each for each in tenant["reasons"] if each["stage"] == stage]
        since = f" since {when(tenant['since'])}" if stage == "gateway" else ""
        yield f'<p class="soft">{heading}{since}{"" if rows else ": nothing"}</p>'
        if rows:
            yield table(_REASON_HEADS, map(_reason_cells, sorted(rows, key=lambda each: -each["samples"])))
    examples = [(each["reason"], example) for each in tenant["reasons"] for example in each["examples"]]
    if examples:
        yield "<h2>Examples, newest first</h2>"
        examples.sort(key=lambda pair: -int(pair[1]["time"]))
        yield table(("reason", "refused at", "sample of", "series"), (_example_cells(*pair) for pair in examples))


def _reason_cells(row: dict[str, Any]) -> tuple[str, ...]:
    limit = f"<code>{text(row['setting'])}: {text(row['limit'])}</code>" if row["limit"] is not None else NOTHING
    by_request = row["stage"] == "gateway"
    return (
        text(row["reason"]),
        number(row["samples"]),
        number(row["shadow_samples"]) if by_request else NOTHING,
        number(row["requests"] + row["shadow_requests"]) if by_request else NOTHING,
        when(row["last_time"]),
        limit,
        text(row["remedy"]) or NOTHING,
    )


def _example_cells(reason: str, example: dict[str, Any]) -> tuple[str, ...]:
    timestamp = example["timestamp"]
    return (
        text(reason),
        when(example["time"]),
        "every sample" if timestamp is None else text(timestamp),
        f"<code>{text(example['series'])}</code>",
    )


def _after_ack(look: dict[str, Any]) -> str:
    told = "What consumers rejected has not been looked at yet."
    if look["until"] is not None:
        of = f"records from {when(look['since'])} on" if look["since"] is not None else "no segment, there is none yet"
        told = f"What consumers rejected, out of their ledgers: {of}, as of {when(look['until'])}."
    problem = f' <span class="bad">{text(look["problem"])}</span>' if look["problem"] else ""
    return f'<p class="soft">{told}{problem}</p>'
