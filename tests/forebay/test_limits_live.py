"""`forebay limits test --url`: proposed limits beside those in force, in real gateways that serve on."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.flags import parse_flags
from tests.forebay.server import ROOT, Role, run
from tests.forebay.test_rejections import rejections, write

PROPOSED = {"tenants": {"team-a": {"max_label_pairs": 2}}}
WIDE = {"__name__": "wide", "a": "1", "b": "2"}


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Role]]:
    with (
        Role("gateway", tmp_path_factory.mktemp("one"), None, "--web.enable-admin-api") as one,
        Role("gateway", tmp_path_factory.mktemp("two"), None, "--web.enable-admin-api") as two,
    ):
        one.ready()
        two.ready()
        yield [one, two]
        assert one.stop() == two.stop() == 0


@pytest.fixture
def proposed(tmp_path: Path) -> Path:
    file = tmp_path / "proposed.yaml"
    file.write_text(json.dumps(PROPOSED))
    return file


def ask(gateway: Role, method: str, query: str = "", body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(f"{gateway.url}/api/v1/limits/trial?{query}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def send(gateway: Role, tenant: str) -> None:
    now = int(time.time() * 1000)
    assert (
        write(gateway, (WIDE, [(now, 1.0), (now + 1, 1.0)]), ({"__name__": "up"}, [(now, 1.0)]), tenant=tenant) == 204
    )


def test_two_gateways_say_who_would_be_cut_and_cut_nobody(gateways: list[Role], proposed: Path) -> None:
    command = [sys.executable, "-m", "forebay", "limits", "test", f"--limits.file={proposed}", "--for=2s", "--json"]
    urls = [f"--url={gateway.url}" for gateway in gateways]
    process = subprocess.Popen([*command, *urls], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None:
            for gateway in gateways:
                for tenant in ("team-a", "team-b"):
                    send(gateway, tenant)
        output, problems = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, problems) == (1, "")
    found = json.loads(output)
    a, b = found["tenants"]
    assert [(each["tenant"], each["share"]) for each in (a, b)] == [("team-a", 2 / 3), ("team-b", 0.0)]
    assert min(a["samples"], b["samples"]) > 6
    (reason,) = found["tenants"][0]["reasons"]
    assert (reason["reason"], reason["limit"]) == ("too_many_labels", "2")
    assert "wide" in reason["examples"][0]["series"]
    assert [rejections(gateway, "team-a") for gateway in gateways] == [{}, {}]


def test_a_trial_over_http(gateways: list[Role]) -> None:
    gateway = gateways[0]
    status, document = ask(gateway, "POST", "seconds=30", json.dumps(PROPOSED).encode())
    assert (status, document["status"]) == (200, "success")
    query = f"id={document['data']['id']}"
    send(gateway, "team-a")
    deadline = time.monotonic() + 10
    while not (found := ask(gateway, "GET", query)[1]["data"]["tenants"]):
        assert time.monotonic() < deadline
    assert (found[0]["samples"], found[0]["report"]["reasons"][0]["samples"]) == (3, 2)
    status, document = ask(gateway, "POST", "seconds=30", b"")
    assert (status, document["errorType"]) == (409, "conflict")
    assert ask(gateway, "DELETE", query)[0] == 200
    assert [ask(gateway, method, query)[0] for method in ("GET", "DELETE")] == [404, 404]


@pytest.mark.parametrize(
    ("query", "body", "says"),
    [
        ("seconds=x", b"", "not a number"),
        ("seconds=nan", b"", "seconds must be"),
        ("seconds=9999", b"", "seconds must be"),
        ("share=0", b"", "share at most 1"),
        ("", b"\xff", "UTF-8"),
        ("", b"tenants: {a: {max_labels: 1}}", "max_labels"),
    ],
)
def test_what_cannot_be_tried_is_400(gateways: list[Role], query: str, body: bytes, says: str) -> None:
    status, document = ask(gateways[0], "POST", query, body)
    assert (status, document["errorType"]) == (400, "bad_data")
    assert says in document["error"]


def test_it_is_off_unless_the_admin_api_is_on(tmp_path: Path, proposed: Path) -> None:
    with Role("gateway", tmp_path) as gateway:
        gateway.ready()
        assert {ask(gateway, method)[0] for method in ("GET", "POST", "DELETE")} == {403}
        result = run("limits", "test", f"--limits.file={proposed}", f"--url={gateway.url}", "--for=1s")
        assert (result.returncode, result.stdout) == (3, "")
        assert "--web.enable-admin-api" in result.stderr
        assert gateway.stop() == 0


def test_a_gateway_that_is_not_there_is_3_and_leaves_no_trial(gateways: list[Role], proposed: Path) -> None:
    urls = [f"--url={gateways[0].url}", "--url=http://127.0.0.1:1"]
    result = run("limits", "test", f"--limits.file={proposed}", "--for=1s", *urls)
    assert (result.returncode, result.stdout) == (3, "")
    assert "127.0.0.1:1" in result.stderr
    status, document = ask(gateways[0], "POST", "", b"")
    assert status == 200, "the one that had begun was ended"
    ask(gateways[0], "DELETE", f"id={document['data']['id']}")


def test_log_and_gateways_are_not_asked_at_once(gateways: list[Role], proposed: Path) -> None:
    result = run("limits", "test", f"--limits.file={proposed}", f"--url={gateways[0].url}", "--from=1")
    assert (result.returncode, "give one or the other" in result.stderr) == (2, True)


@pytest.mark.parametrize("duration", ["0s", "2h", "soon"])
def test_a_trial_has_an_end(duration: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_flags(["limits", "test", "--limits.file=x", f"--for={duration}"])
    assert ended.value.code == 2
    assert "--for" in capsys.readouterr().err
