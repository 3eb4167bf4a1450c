"""Who may ask for whose rejections, and what the answer says."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from gateway.limits import LimitSettings
from gateway.principal import PRINCIPAL, Grant, Principal
from gateway.rejection_book import RejectionBook
from gateway.rejections_api import RejectionsApi
from gateway.rejections_report import ReasonReport
from gateway.rejections_view import TOPIC, Look, Nothing, RejectionsView
from gateway.settings import TenancySettings
from gateway.siblings import Alone, Reply
from gateway.tenant import TenantReader
from tests.gateway.requests import NOW_MS
from tests.gateway.test_rejections import routed

Client = TestClient[web.Request, web.Application]


class Ledgers:
    """Consumers rejected something of team-a and of team-z."""

    async def look(self) -> Look:
        return Look(NOW_MS - 100, NOW_MS)

    def of(self, tenant: str) -> Sequence[ReasonReport]:
        row = ReasonReport("too_many_windows", "consumer", 40, NOW_MS - 100, NOW_MS - 50)
        return (row,) if tenant in self.tenants() else ()

    def tenants(self) -> Sequence[str]:
        return ("team-a", "team-z")


class Siblings(Alone):
    """Two processes, of which the other one counted the same, and a third that does not answer."""

    async def gather(self, topic: str, argument: str = "") -> list[Reply]:
        (own,) = await super().gather(topic, argument)
        return [own, own._replace(process=1), Reply(2, problem="gone")]


class Asker:
    """Asks as somebody."""

    def __init__(self, client: Client, app: web.Application) -> None:
        self._client = client
        self._app = app

    async def get(self, query: str = "", tenant: str = "") -> tuple[int, Any]:
        headers = {"X-Scope-OrgID": tenant} if tenant else {}
        async with self._client.get(f"/api/v1/tenant/rejections{query}", headers=headers) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json()


def make_app(*, grants: tuple[Grant, ...] = (), siblings: Alone | None = None) -> web.Application:
    book = RejectionBook(NOW_MS)
    book.note("team-a", routed("x", samples=3), NOW_MS + 5)
    book.note_request("team-b", "rate_limited", 70, NOW_MS + 6, shadow=True)
    view = RejectionsView(book, Ledgers(), siblings or Alone())
    api = RejectionsApi(
        view, tenants=TenantReader(TenancySettings()), limits_of=lambda _: LimitSettings(max_label_pairs=7)
    )

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[PRINCIPAL] = Principal(user="somebody", grants=grants)
        return await handler(request)

    app = web.Application(middlewares=[authenticate])
    app.add_routes(api.routes())
    return app


@pytest.fixture
async def ask() -> AsyncIterator[Any]:
    clients = []

    async def make(**given: Any) -> Asker:
        app = make_app(**given)
        client: Client = TestClient(TestServer(app))
        clients.append(client)
        await client.start_server()
        return Asker(client, app)

    yield make
    for client in clients:
        await client.close()


async def test_a_tenant_reads_its_own(ask: Any) -> None:
    status, document = await (await ask()).get(tenant="team-a")
    assert (status, document["status"], "warnings" in document) == (200, "success", False)
    (tenant,) = document["data"]["tenants"]
    assert (tenant["tenant"], tenant["since"], tenant["samples"], tenant["shadow_samples"]) == ("team-a", NOW_MS, 43, 0)
    missing, windows = tenant["reasons"]
    assert missing == {
        "reason": "missing_name",
        "stage": "gateway",
        "samples": 3,
        "first_time": NOW_MS + 5,
        "last_time": NOW_MS + 5,
        "shadow_samples": 0,
        "requests": 1,
        "shadow_requests": 0,
        "examples": [{"series": '{job="x"}', "timestamp": None, "time": NOW_MS + 5}],
        "setting": "",
        "limit": None,
        "remedy": "keep __name__ in relabelling",
    }
    assert (windows["stage"], windows["samples"], windows["setting"], windows["limit"]) == (
        "consumer",
        40,
        "max_age",
        "1w",
    )
    assert document["data"]["after_ack"] == {"since": NOW_MS - 100, "until": NOW_MS, "problem": ""}


async def test_one_of_whom_nothing_was_refused(ask: Any) -> None:
    status, document = await (await ask()).get()
    assert status == 200
    assert document["data"]["tenants"] == [
        {
            "tenant": "default-tenant",
            "since": NOW_MS,
            "reasons": [],
            "samples": 0,
            "shadow_samples": 0,
            "active_series": 0,
            "max_active_series": 0,
        }
    ]


async def test_an_operator_reads_all_most_refused_first(ask: Any) -> None:
    asker = await ask()
    _, document = await asker.get("?tenant=*")
    assert [each["tenant"] for each in document["data"]["tenants"]] == ["team-a", "team-z", "team-b"]
    assert (document["data"]["count"], document["data"]["forgotten"]) == (3, 0)
    _, document = await asker.get("?tenant=*&limit=1")
    assert [each["tenant"] for each in document["data"]["tenants"]] == ["team-a"]
    _, document = await asker.get("?tenant=team-b")
    assert document["data"]["tenants"][0]["shadow_samples"] == 70


async def test_who_speaks_for_some_reads_those_alone(ask: Any) -> None:
    asker = await ask(grants=(("team-b", "team-c"),))
    status, document = await asker.get()
    assert (status, document["data"]["tenants"][0]["tenant"]) == (200, "team-b")
    assert (await asker.get("?tenant=team-c"))[0] == 200
    for query in ("?tenant=team-a", "?tenant=*"):
        status, document = await asker.get(query)
        assert (status, document["status"], document["errorType"]) == (403, "error", "forbidden")
        assert "as who may write for every tenant" in document["error"]
    assert (await asker.get(tenant="team-a"))[0] == 403
    assert (await asker.get(tenant="*"))[0] == 403


async def test_a_tenant_of_that_name_is_not_everybody(ask: Any) -> None:
    _, document = await (await ask()).get(tenant="*")
    assert [each["tenant"] for each in document["data"]["tenants"]] == ["*"]


@pytest.mark.parametrize(
    "query", ["?tenant=../up", "?tenant=", "?limit=0", "?limit=1001", "?limit=x", f"?limit={'9' * 5000}"]
)
async def test_what_cannot_be_asked_is_400(ask: Any, query: str) -> None:
    status, document = await (await ask()).get(query)
    assert (status, document["errorType"]) == (400, "bad_data")
    assert len(document["error"]) < 500


async def test_processes_are_summed_and_a_silent_one_is_told(ask: Any) -> None:
    asker = await ask(siblings=Siblings())
    _, document = await asker.get(tenant="team-a")
    missing, windows = document["data"]["tenants"][0]["reasons"]
    assert (missing["samples"], missing["requests"], windows["samples"]) == (6, 2, 40)
    assert document["warnings"] == ["process=2: gone"]
    _, document = await asker.get("?tenant=*")
    assert [each["samples"] for each in document["data"]["tenants"]] == [46, 40, 0]


async def test_active_series_are_those_of_who_knows_most() -> None:
    class Others(Siblings):
        async def gather(self, topic: str, argument: str = "") -> list[Reply]:
            own, other, silent = await super().gather(topic, argument)
            tenants = [report | {"active_series": 900} for report in other.value["tenants"]]
            return [own, other._replace(value=other.value | {"tenants": tenants}), silent]

    for siblings, expected in ((Alone(), 700), (Others(), 900)):
        view = await RejectionsView(RejectionBook(NOW_MS), Nothing(), siblings, lambda _: 700).of("team-a")
        assert view.tenants[0].active_series == expected


async def test_without_ledgers_that_is_said() -> None:
    siblings = Alone()
    view = await RejectionsView(RejectionBook(NOW_MS), Nothing(), siblings).of("team-a")
    assert "no bucket" in view.after_ack.problem
    assert (await siblings.gather(TOPIC, "top:5"))[0].problem == ""
