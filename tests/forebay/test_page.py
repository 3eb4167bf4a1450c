"""The page: complete for every state, and nothing in it unescaped."""

from html.parser import HTMLParser
from typing import Any

import pytest

from forebay.page import render

PARTITION = {
    "partition": 0,
    "position": 1_234_567,
    "end_offset": 1_234_570,
    "lag": 3,
    "lag_seconds": 2.4,
    "unpublished": 570,
    "unpublished_seconds": 754.0,
    "open_start": 1_234_000,
    "samples": 9_876,
    "series": 321,
    "memory_bytes": 5 << 20,
    "sealing": False,
    "failing": "",
    "manifest_end": 1_234_000,
    "last_segment": {
        "start": 0,
        "end": 1_234_000,
        "ended_by": "mark",
        "last_append_time": 1_700_006_400_000,
        "samples": 55_555,
        "blocks": 1,
    },
}
BLOCK = {
    "ulid": "01M7YFZPV867MK91FVRYZD97PZ",
    "partition": 0,
    "tenant": "team-a",
    "window": 1_700_006_400_000,
    "series": 321,
    "samples": 55_555,
    "bytes": 123_456,
}
STATUS: dict[str, Any] = {
    "role": "all-in-one",
    "version": "1.2.3",
    "uptime_seconds": 93_784,
    "ready": True,
    "objections": [],
    "log_id": "abc",
    "bucket": "filesystem directory=/b",
    "partitions": [PARTITION],
    "blocks": [BLOCK],
}


class Checked(HTMLParser):
    """Every tag is closed, nothing is loaded from elsewhere."""

    VOID = frozenset({"meta", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        given = dict(attrs)
        assert "src" not in given
        if tag == "link":
            assert given["href"] == "data:,"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def text(**changed: object) -> str:
    checked = Checked()
    checked.feed(render(STATUS | changed, "https://forebay.example:9201"))
    assert checked.open == []
    return checked.text


def test_it_says_how_far_everything_is() -> None:
    shown = text()
    for part in (
        "all-in-one",
        "1.2.3",
        "1d 2h 3m 4s",
        "1,234,567",
        "from 1,234,000, 9,876 samples",
        "5.0 MiB",
        "3, 2s",
        "570, 12m",
        "55,555 samples to 2023-11-15 00:00:00Z, by mark",
        "01M7YFZPV867MK91FVRYZD97PZ",
        "120.6 KiB",
        "url: https://forebay.example:9201/api/v1/write",
        "read_recent: true",
    ):
        assert part in shown


def test_a_process_that_has_just_begun_has_a_page() -> None:
    shown = text(partitions=[{"partition": 0, "start_offset": 0, "end_offset": 0}], blocks=[], uptime_seconds=0)
    assert "None seen yet" in shown


@pytest.mark.parametrize("role", ["gateway", "consumer", "compactor"])
def test_every_role_has_a_page(role: str) -> None:
    shown = text(role=role, partitions=[], blocks=[], log_id=None, bucket=None)
    assert ("remote_write" in shown) == (role == "gateway")
    assert "remote_read" not in shown


def test_a_gateways_tenants_lead_to_their_rejections() -> None:
    assert '<a href="/tenant/rejections?tenant=team-a">team-a</a>' in render(STATUS, "host")
    assert "/tenant/rejections" not in render(STATUS | {"role": "consumer"}, "host")


def test_what_is_wrong_stands_on_top() -> None:
    shown = text(ready=False, objections=["bucket: disk full"])
    assert "not ready" in shown
    assert "bucket: disk full" in shown
    assert "no room" in text(partitions=[PARTITION | {"failing": "no room"}])


def test_hostile_values_are_text() -> None:
    bad = "<script>alert(1)</script>"
    shown = text(blocks=[BLOCK | {"tenant": bad}], objections=[bad], ready=False, bucket=bad)
    assert shown.count(bad) == 3
    assert "<script>" not in render(STATUS, '"><script>')
