"""The page of HTTP paths agrees with the roles: every route is documented for the roles that have it."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import web

from forebay import all_in_one, compactor_role, consumer_role, gateway_role
from forebay.flags import parse_flags
from forebay.process import Process
from forebay.settings import Settings

PAGE = (Path(__file__).parent.parent.parent / "docs" / "http.md").read_text()
ROLES: dict[str, Callable[[Process, AsyncExitStack], Awaitable[None]]] = {
    "all-in-one": all_in_one.start,
    "gateway": gateway_role.start,
    "consumer": consumer_role.start,
    "compactor": compactor_role.start,
}
_ROW = re.compile(r"^\| (GET|POST|DELETE) \| `([^`]+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


class Unserved:
    """In place of the server: keeps the application, and listens nowhere."""

    apps: ClassVar[list[web.Application]] = []

    def __init__(self, app: web.Application, *_: Any, **__: Any) -> None:
        self.apps.append(app)
        self.address = ""

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


@pytest.mark.parametrize("role", ROLES)
async def test_every_path_of_a_role_is_documented(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forebay.parts.WebServer", Unserved)
    process = Process(role, parse_flags([role, f"--data.dir={tmp_path}"]), Settings())
    async with AsyncExitStack() as parts:
        await ROLES[role](process, parts)
    app = Unserved.apps.pop()
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    documented = {(method, path) for method, path, roles, _ in _ROW.findall(PAGE) if role in roles or roles == "all"}
    assert {each for each in served if each[0] != "HEAD"} == documented


def test_every_row_can_be_read() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == len(_ROW.findall(PAGE)) > 10
    for *_, status in _ROW.findall(PAGE):
        assert status == "as above" or all(code.isdecimal() for code in status.split(", "))
