"""Who may talk: users, tokens, rates and headers; and what a change of the files does."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from forebay.ask import get
from forebay.status_consumers import ask
from forebay.strict_yaml import SettingsError
from tests.forebay.access import WHO, guarded, hashed

USERS = {"basic_auth_users": {"alice": hashed("wonder:land"), "bob": hashed("builder"), "zoë": hashed("ü" * 50)}}
TOKEN = "t0ken-of-team-a"


def tokens(*entries: tuple[str, str, Any]) -> dict[str, Any]:
    return {
        "tokens": [
            {"name": name, "sha256": hashlib.sha256(token.encode()).hexdigest(), "tenants": tenants}
            for name, token, tenants in entries
        ]
    }


async def test_without_files_everybody_may_talk_for_any_tenant(tmp_path: Path) -> None:
    async with guarded(tmp_path, {}) as server:
        assert (await server.ask(tenant="a")).who["tenant"] == "a"
        assert (await server.ask(login=("alice", "any"))).who["user"] == ""


@pytest.mark.parametrize(
    ("login", "status"),
    [
        (("alice", "wonder:land"), 200),
        (("zoë", "ü" * 50), 200),
        (("zoë", "ü" * 50 + "more than bcrypt sees"), 200),  # as htpasswd and Go have it
        (("alice", "wonderland"), 401),
        (("alice", "builder"), 401),
        (("alice", ""), 401),
        (("", "wonder:land"), 401),
        (("mallory", "fakepassword"), 401),
        ("alice", 401),
        (None, 401),
    ],
)
async def test_users_log_in_with_their_password(tmp_path: Path, login: Any, status: int) -> None:
    async with guarded(tmp_path, {}, web=USERS) as server:
        for _ in range(2):  # what was found out is remembered
            answer = await server.ask(login=login)
            assert answer.status == status
            if status == 401:
                assert answer.headers["WWW-Authenticate"] == 'Basic realm="forebay"'
                assert answer.text == "unauthorized\n"
            else:
                assert answer.who["user"] == login[0]
        assert server.refused("unauthorized") == (2 if status == 401 else 0)


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Basic /////w==",
        "basicYWxpY2U6d29uZGVyOmxhbmQ=",
        "Digest YWxpY2U6d29uZGVyOmxhbmQ=",
        "Bearer ",
        "",
    ],
)
async def test_credentials_that_are_none_are_401(tmp_path: Path, header: str) -> None:
    async with guarded(tmp_path, {}, web=USERS) as server:
        assert (await server.ask(headers={"Authorization": header})).status == 401


async def test_paths_that_are_open_need_no_login(tmp_path: Path) -> None:
    async with guarded(tmp_path, {"auth": {"open_paths": ["/-/ready"]}}, web=USERS) as server:
        statuses = [(await server.ask(path)).status for path in ("/-/ready", "/-/healthy", "/metrics", WHO, "/none")]
        assert statuses == [200, 401, 401, 401, 401]


@pytest.mark.parametrize(
    ("users", "user", "named", "tenant"),
    [
        ("*", "alice", "", "default-tenant"),
        ("*", "alice", "any", "any"),
        ("self", "alice", "", "alice"),
        ("self", "alice", "alice", "alice"),
        ("self", "alice", "bob", None),
        ({"alice": ["a", "b"]}, "alice", "", "a"),
        ({"alice": ["a", "b"]}, "alice", "b", "b"),
        ({"alice": ["a", "b"]}, "alice", "c", None),
        ({"alice": "*"}, "alice", "c", "c"),
        ({"bob": ["b"]}, "alice", "", None),
        ({"bob": ["b"]}, "alice", "default-tenant", None),
    ],
)
async def test_a_user_speaks_for_its_tenants(
    tmp_path: Path, users: Any, user: str, named: str, tenant: str | None
) -> None:
    async with guarded(tmp_path, {"tenancy": {"users": users}}, web=USERS) as server:
        answer = await server.ask(login=(user, "wonder:land"), tenant=named)
        if tenant is None:
            assert answer.status == 403
        else:
            assert answer.who["tenant"] == tenant


async def test_who_speaks_for_some_tenants_is_no_operator(tmp_path: Path) -> None:
    settings = {"tenancy": {"users": {"alice": ["a"], "bob": "*", "zoë": ["z", "*"]}}}
    async with guarded(tmp_path, settings | {"auth": {"open_paths": ["/-/ready"]}}, web=USERS) as server:
        for path, status in ((WHO, 200), ("/-/ready", 200), ("/-/healthy", 200), ("/metrics", 403), ("/none", 403)):
            assert (await server.ask(path, login=("alice", "wonder:land"))).status == status
        for login in (("bob", "builder"), ("zoë", "ü" * 50)):
            assert (await server.ask("/metrics", login=login)).status == 200
            assert (await server.ask("/none", login=login)).status == 404
        assert server.refused("forbidden") == 2


async def test_a_token_names_its_tenants(tmp_path: Path) -> None:
    known = tokens(("a", TOKEN, ["team-a", "team-b"]), ("proxy", "t0ken-of-a-proxy", "*"))
    async with guarded(tmp_path, {}, bearer=known) as server:
        assert (await server.ask(login=TOKEN)).who == {
            "user": "",
            "token": "a",
            "certificate": "",
            "tenant": "team-a",
        }
        assert (await server.ask(login=TOKEN, tenant="team-b")).who["tenant"] == "team-b"
        assert (await server.ask(login=TOKEN, tenant="team-c")).status == 403
        assert (await server.ask(login="t0ken-of-a-proxy", tenant="team-c")).who["tenant"] == "team-c"
        for wrong in (TOKEN[:-1], TOKEN + "x", hashlib.sha256(TOKEN.encode()).hexdigest(), "é"):
            answer = await server.ask(login=wrong)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="forebay"')
        assert (await server.ask()).status == 401


async def test_two_logins_in_one_request_are_none(tmp_path: Path) -> None:
    async with guarded(tmp_path, {}, web=USERS, bearer=tokens(("a", TOKEN, ["a"]))) as server:
        assert (await server.ask(login=TOKEN)).status == 200
        assert (await server.ask(login=("alice", "wonder:land"))).status == 200
        answer = await server.ask(login=f"{TOKEN}, Basic YWxpY2U6d29uZGVyOmxhbmQ=")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="forebay", Bearer realm="forebay"'


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"tokens": [{"name": "a", "sha256": "hunter2", "tenants": "*"}]}, "64 lower-case hexadecimal digits"),
        ({"tokens": [{"name": "a", "token": "hunter2"}]}, "unknown setting"),
        (tokens(("a", "x", [])), "no tenant is granted"),
        (tokens(("a", "x", ["a/b"])), "not a tenant id"),
        (tokens(("a", "x", "b")), "tenants"),
        (tokens(("a", "x", ["a"]), ("a", "y", ["a"])), "must not share a name"),
        (tokens(("a", "x", ["a"]), ("b", "x", ["a"])), "must not share a sha256"),
        (tokens(("a b", "x", ["a"])), "name must be of letters"),
    ],
    ids=str,
)
async def test_a_bearer_file_that_is_wrong_is_refused(tmp_path: Path, document: Any, problem: str) -> None:
    with pytest.raises(SettingsError, match="bearer file: ") as caught:
        async with guarded(tmp_path, {}, bearer=document):
            pass
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_headers_are_those_of_every_answer(tmp_path: Path) -> None:
    config = USERS | {"http_server_config": {"headers": {"X-Frame-Options": "deny"}}}
    async with guarded(tmp_path, {}, web=config) as server:
        for answer in (await server.ask(), await server.ask("/none", login=("bob", "builder"))):
            assert answer.headers["X-Frame-Options"] == "deny"


async def test_a_rate_limit_lets_a_burst_through_and_then_so_many(tmp_path: Path) -> None:
    async with guarded(tmp_path, {}, web={"rate_limit": {"interval": "2s", "burst": 3}}) as server:
        assert [(await server.ask()).status for _ in range(4)] == [200, 200, 200, 429]
        server.clock.advance(2)
        assert [(await server.ask()).status for _ in range(2)] == [200, 429]
        server.clock.advance(60)
        assert [(await server.ask()).status for _ in range(4)] == [200, 200, 200, 429]
        assert server.refused("rate") == 3


async def test_a_change_is_in_force_after_a_reload(tmp_path: Path) -> None:
    async with guarded(tmp_path, {}, web=USERS, bearer=tokens(("a", TOKEN, ["a"]))) as server:
        assert (await server.ask(login=("alice", "wonder:land"))).status == 200
        assert (await server.ask(login=("carol", "new"))).status == 401
        server.write("web.yml", {"basic_auth_users": {"carol": hashed("new"), "alice": hashed("changed")}})
        server.write("bearer.yml", tokens(("b", "another", ["b"])))
        server.access.reload()
        assert (await server.ask(login=("carol", "new"))).status == 200
        assert (await server.ask(login=("alice", "wonder:land"))).status == 401
        assert (await server.ask(login=("alice", "changed"))).status == 200
        assert (await server.ask(login=TOKEN)).status == 401
        assert (await server.ask(login="another")).who["tenant"] == "b"


@pytest.mark.parametrize("web", ["basic_auth_users: {alice: plain}", "", "a: ["])
async def test_a_bad_or_an_empty_file_lets_nobody_in_who_was_not(tmp_path: Path, web: str) -> None:
    async with guarded(tmp_path, {}, web=USERS) as server:
        (tmp_path / "web.yml").write_text(web)
        with pytest.raises(SettingsError):
            server.access.reload()
        assert (await server.ask()).status == 401
        assert (await server.ask(login=("alice", "wonder:land"))).status == 200


async def test_a_url_may_hold_a_login_that_is_not_shown(tmp_path: Path) -> None:
    async with guarded(tmp_path, {}, web=USERS) as server:
        url = f"http://alice:wonder%3Aland@localhost:{server.port}"
        assert await asyncio.to_thread(get, f"{url}/-/healthy") == b"healthy\n"
        answer = await asyncio.to_thread(ask, url.replace("wonder", "wander"))
        assert answer.report.url == f"http://localhost:{server.port}"
        assert "401" in answer.report.problem
        assert "wander" not in repr(answer)
