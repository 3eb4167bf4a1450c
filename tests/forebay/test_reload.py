"""What is read anew, when, and what becomes of it where it is not good."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from forebay.clock import ManualClock
from forebay.errors import Fatal
from forebay.logs import get_logger
from forebay.reload import Reloads
from gateway.siblings import Alone
from tests.forebay.server import Role

SOON = 0.01


class Text:
    """A file's text; `bad` is none that may be in force."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.times = 0
        self.read()

    def read(self) -> None:
        self.times += 1
        try:
            text = self.file.read_text()
        except OSError as error:
            raise Fatal("cannot read it", hint="put it back") from error
        if text == "bad":
            raise Fatal("it is bad", hint="make it good")
        self.text = text


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def text(tmp_path: Path) -> Text:
    (tmp_path / "a").write_text("first")
    return Text(tmp_path / "a")


@pytest.fixture
async def reloads(registry: CollectorRegistry, text: Text) -> AsyncIterator[Reloads]:
    reloads = Reloads(get_logger("reload"), registry, ManualClock(5000))
    reloads.add("text", text.read, lambda: [text.file])
    yield reloads
    await reloads.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is not asyncio's
            await asyncio.sleep(SOON)


def successful(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("forebay_config_last_reload_successful", {"config": "text"})


async def test_what_is_good_is_in_force(reloads: Reloads, text: Text, registry: CollectorRegistry) -> None:
    text.file.write_text("second")
    assert await reloads.now() == []
    assert text.text == "second"
    assert successful(registry) == 1
    labels = {"config": "text"}
    assert registry.get_sample_value("forebay_config_last_reload_success_timestamp_seconds", labels) == 5


async def test_what_is_bad_changes_nothing_and_is_told(
    reloads: Reloads, text: Text, registry: CollectorRegistry
) -> None:
    text.file.write_text("bad")
    with capture_logs() as logs:
        assert await reloads.now() == ["text: it is bad (hint: make it good)"]
    assert text.text == "first"
    assert successful(registry) == 0
    assert [(line["log_level"], line["error"], line["hint"]) for line in logs] == [
        ("error", "it is bad", "make it good")
    ]
    text.file.write_text("second")
    assert await reloads.now() == []
    assert successful(registry) == 1


async def test_one_that_is_bad_keeps_no_other_from_being_read(reloads: Reloads, text: Text) -> None:
    def bug() -> None:
        raise ZeroDivisionError("bug")

    others: list[str] = []
    reloads.add("bug", bug)
    reloads.add("other", lambda: others.append("read"))
    assert await reloads.now() == ["bug: ZeroDivisionError: this is a bug in forebay; its log says more"]
    assert others == ["read"]


async def test_a_change_of_a_file_is_seen(reloads: Reloads, text: Text) -> None:
    reloads.watch(SOON)
    text.file.write_text("second")
    await until(lambda: text.text == "second")
    text.file.write_text("bad")
    await until(lambda: text.times == 3)
    await asyncio.sleep(10 * SOON)
    assert text.times == 3  # it is not tried again before it changes again
    text.file.unlink()
    await until(lambda: text.times == 4)
    text.file.write_text("third")
    await until(lambda: text.text == "third")


async def test_a_swapped_link_is_seen(tmp_path: Path, reloads: Reloads) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b").write_text(name)
        os.utime(tmp_path / name / "b", (1, 1))  # Kubernetes' copies may be of one size and time
    link = tmp_path / "link"
    link.symlink_to("one")
    mounted = Text(link / "b")
    reloads.add("mounted", mounted.read, lambda: [mounted.file])
    reloads.watch(SOON)
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(link)
    await until(lambda: mounted.text == "two")


async def test_a_stop_waits_for_a_reload_that_is_going_on(reloads: Reloads) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(10)
        ended.set()

    reloads.add("slow", slow)
    reloads.request()
    await until(begun.is_set)
    stopping = asyncio.create_task(reloads.stop())
    await asyncio.sleep(SOON)
    assert not stopping.done()
    go_on.set()
    await stopping
    assert ended.is_set()


@pytest.mark.parametrize(("enabled", "content", "status"), [(True, "ok", 200), (True, "bad", 500), (False, "ok", 403)])
async def test_over_http_it_is_off_unless_enabled(
    reloads: Reloads, text: Text, *, enabled: bool, content: str, status: int
) -> None:
    app = web.Application()
    app.add_routes(reloads.routes(Alone(), enabled=enabled))
    text.file.write_text(content)
    async with TestClient(TestServer(app)) as client:
        answer = await client.post("/-/reload")
        assert answer.status == status
        assert (text.text == "ok") == (status == 200)
        assert ("hint: " in await answer.text()) == (status != 200)
        assert (await client.get("/-/reload")).status == 405


def test_sighup_does_not_end_a_process_and_the_flag_opens_the_endpoint(tmp_path: Path) -> None:
    with Role("compactor", tmp_path, None, "--web.enable-lifecycle") as role:
        role.ready()
        assert role.popen is not None
        role.popen.send_signal(signal.SIGHUP)
        assert role.get("/-/ready")[0] == 200
        assert role.post("/-/reload") == (200, b"")
        assert role.stop() == 0
