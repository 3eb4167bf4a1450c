"""Rejections of real processes: what a sender lost, before the ack and after it, in one place."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from forebay.rejections_page import render
from gateway.rejections_api import ALL
from tests.forebay.server import Role
from tests.forebay.test_all_in_one import eventually
from tests.forebay.test_page import Checked
from tests.gateway.requests import body

LIMITS = {"limits": {"max_label_pairs": 3}}


def write(role: Role, *series: tuple[dict[str, str], list[tuple[int, float]]], tenant: str) -> int:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Scope-OrgID": tenant}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{role.url}/api/v1/write", body(*series), headers), timeout=30
        ) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def rejections(role: Role, tenant: str) -> dict[str, tuple[str, int]]:
    """Stage and samples, by reason."""
    status, answer = role.get(f"/api/v1/tenant/rejections?tenant={tenant}")
    assert status == 200
    (found,) = json.loads(answer)["data"]["tenants"]
    return {each["reason"]: (each["stage"], each["samples"]) for each in found["reasons"]}


def send_what_is_refused(role: Role) -> None:
    """Two samples before the ack, and one after it: another value at a time that has one."""
    now = int(time.time() * 1000)
    wide = {"__name__": "wide", "a": "1", "b": "2", "c": "3"}
    assert write(role, (wide, [(now, 1.0), (now + 1, 1.0)]), tenant="team-a") == 400
    for value in (1.0, 2.0):
        assert write(role, ({"__name__": "up"}, [(now, value)]), tenant="team-a") == 204


def test_before_and_after_the_ack_in_one_process(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path, LIMITS) as role:
        role.ready()
        send_what_is_refused(role)
        assert rejections(role, "team-a")["too_many_labels"] == ("gateway", 2)
        expected = {"too_many_labels": ("gateway", 2), "duplicate_timestamp": ("consumer", 1)}
        eventually(lambda: rejections(role, "team-a") == expected, role, timeout=40)
        assert rejections(role, "team-b") == {}
        code, page = role.get("/tenant/rejections")
        assert code == 200
        assert "team-a" in page.decode()
        code, page = role.get("/tenant/rejections?tenant=team-a")
        shown = page.decode()
        assert all(each in shown for each in ("max_label_pairs: 3", "duplicate_timestamp", "wide"))
        assert role.get("/tenant/rejections?tenant=..")[0] == 400
        assert "/tenant/rejections" in role.get("/")[1].decode()
        assert role.stop() == 0
    lines = (tmp_path / "all-in-one.log").read_text()
    assert 'msg="samples refused"' in lines
    assert "limits.max_label_pairs" in lines


def test_a_gateway_reads_ledgers_of_consumers_elsewhere(tmp_path: Path) -> None:
    bucket = {"bucket": {"type": "FILESYSTEM", "config": {"directory": str(tmp_path / "bucket")}}}
    with Role("gateway", tmp_path, LIMITS | bucket) as gateway, Role("consumer", tmp_path, bucket) as consumer:
        gateway.ready()
        consumer.ready()
        send_what_is_refused(gateway)
        expected = {"too_many_labels": ("gateway", 2), "duplicate_timestamp": ("consumer", 1)}
        eventually(lambda: rejections(gateway, "team-a") == expected, gateway, timeout=40)
        assert consumer.get("/api/v1/tenant/rejections")[0] == 404
        assert gateway.stop() == 0


REASON = {
    "reason": "label_value_too_long",
    "stage": "gateway",
    "samples": 12_345,
    "shadow_samples": 7,
    "requests": 3,
    "shadow_requests": 1,
    "first_time": 1_700_006_400_000,
    "last_time": 1_700_006_460_000,
    "examples": [{"series": '{a="b"}', "timestamp": 1_700_006_400_001, "time": 1_700_006_460_000}],
    "setting": "max_label_value_bytes",
    "limit": "2048",
    "remedy": "shorten it",
}
TENANT = {
    "active_series": 1500,
    "max_active_series": 2000,
    "tenant": "team-a",
    "since": 1_700_000_000_000,
    "reasons": [REASON],
    "samples": 12_345,
    "shadow_samples": 7,
}
DATA: dict[str, Any] = {
    "tenants": [TENANT],
    "count": 3,
    "forgotten": 9,
    "after_ack": {"since": 1_700_000_000_000, "until": 1_700_006_460_000, "problem": ""},
}


def text(data: dict[str, Any], asked: str, *problems: str) -> str:
    checked = Checked()
    checked.feed(render(data, asked, problems))
    assert checked.open == []
    return checked.text


def test_the_page_of_a_tenant_says_who_was_cut_by_what_and_what_to_set() -> None:
    shown = text(DATA, "team-a")
    for part in (
        "team-a",
        "12,345",
        "max_label_value_bytes: 2048",
        "shorten it",
        '{a="b"}',
        "1700006400001",
        "1,500 active series",
    ):
        assert part in shown
    assert "after the ack: nothing" in shown


def test_the_page_of_all_says_what_it_leaves_out() -> None:
    shown = text(DATA, ALL, "process=1: gone")
    assert all(each in shown for each in ("and 2 tenants more", "9 tenants that were quiet", "process=1: gone"))
    assert "Nothing was refused" in text(DATA | {"tenants": [], "count": 0}, ALL)


@pytest.mark.parametrize("since", [None, 1_700_000_000_000])
@pytest.mark.parametrize("until", [None, 1_700_006_460_000])
def test_the_page_says_what_is_known_of_consumers(since: int | None, until: int | None) -> None:
    look = {"since": since, "until": until, "problem": "no route"}
    shown = text(DATA | {"after_ack": look}, "team-a")
    assert "no route" in shown
    assert ("has not been looked at yet" in shown) == (until is None)


def test_hostile_values_are_text() -> None:
    bad = "<script>alert(1)</script>"
    examples = [{"series": bad, "timestamp": None, "time": 1}]
    tenant = TENANT | {"tenant": bad, "reasons": [REASON | {"reason": bad, "remedy": bad, "examples": examples}]}
    assert bad in text(DATA | {"tenants": [tenant]}, bad, bad)
    assert bad in text(DATA | {"tenants": [tenant]}, ALL)
