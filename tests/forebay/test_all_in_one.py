"""Every role in one process, as a process: blocks come out, it drains, it dies when a part does."""

import http.client
import json
import signal
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from tests.forebay.server import Role
from tests.gateway.requests import body

BODY_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


def eventually(condition: Callable[[], object], role: Role, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, role.tail()
        time.sleep(0.05)


def write_some(role: Role, series: int = 50) -> None:
    now = int(time.time() * 1000)
    assert role.write(body(*(({"__name__": "up", "n": f"{n}"}, [(now, float(n))]) for n in range(series)))) == 204


def test_what_is_written_becomes_blocks_and_the_page_tells(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        write_some(role)
        eventually(
            lambda: all(row["manifest_end"] == row["end_offset"] > 0 for row in role.status()["partitions"]), role
        )
        status = role.status()
        assert sum(block["samples"] for block in status["blocks"]) == 50
        for block in status["blocks"]:
            meta = json.loads((role.data / "bucket" / block["ulid"] / "meta.json").read_text())
            assert meta["stats"]["numSamples"] == block["samples"]
            assert meta["thanos"]["labels"]["tenant_id"] == "default-tenant"
        code, page = role.get("/")
        assert code == 200
        assert status["blocks"][0]["ulid"] in page.decode()
        assert f"url: {role.url}/api/v1/write" in page.decode()
        assert role.stop() == 0
        assert "msg=ended" in role.tail(1)


def test_what_is_written_can_be_read_at_once_and_after(tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    expected = [{"labels": {"__name__": "up", "job": "a"}, "samples": [(now, 7.0)]}]
    with Role("all-in-one", tmp_path, {"segment": {"interval": "3s", "grace": "100ms"}}) as role:
        role.ready()
        assert role.write(body(({"__name__": "up", "job": "a"}, [(now, 7.0)]))) == 204

        def found() -> bool:
            return role.read(start=now - 1000, end=now + 1000, __name__="up") == expected

        eventually(found, role, timeout=2)
        while not all(row["manifest_end"] == row["end_offset"] for row in role.status()["partitions"]):
            assert found()  # never a moment without it, while the segment becomes a block
        assert found()


def test_own_metrics_are_written_unless_turned_off(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path, {"self_metrics": {"interval": "200ms"}}) as role:
        role.ready()
        eventually(lambda: sum(row["end_offset"] for row in role.status()["partitions"]) > 8, role)
        assert role.stop() == 0
    (tmp_path / "off").mkdir()
    with Role("all-in-one", tmp_path / "off", {"self_metrics": {"interval": "200ms"}}, "--no-self-metrics") as role:
        role.ready()
        time.sleep(0.5)
        assert [row["end_offset"] for row in role.status()["partitions"]] == [0, 0, 0, 0]
        assert role.stop() == 0


def test_a_request_in_flight_is_finished_before_the_process_ends(tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    payload = body(({"__name__": "late"}, [(now, 1.0)]))
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(role.url).netloc, timeout=20)
        connection.putrequest("POST", "/api/v1/write")
        for name, value in BODY_HEADERS.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(payload)))
        connection.endheaders(payload[:5])
        eventually(lambda: b"forebay_gateway_in_flight_requests 1.0" in role.get("/metrics")[1], role)
        assert role.popen is not None
        role.popen.send_signal(signal.SIGTERM)
        eventually(lambda: "draining" in role.tail(), role)
        time.sleep(0.3)
        connection.send(payload[5:])
        assert connection.getresponse().status == 204
        connection.close()
        assert role.popen.wait(30) == 0
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        assert sum(row["end_offset"] for row in role.status()["partitions"]) == 1


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path, {"web": {"drain_delay": "60s"}}) as role:
        role.ready()
        assert role.popen is not None
        role.popen.send_signal(signal.SIGINT)
        eventually(lambda: "draining" in role.tail(), role)
        assert role.get("/-/ready")[0] == 503
        time.sleep(0.3)
        role.popen.send_signal(signal.SIGINT)
        assert role.popen.wait(10) == 1


def test_a_signal_that_comes_twice_at_once_is_one(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        assert role.popen is not None
        role.popen.send_signal(signal.SIGTERM)
        role.popen.send_signal(signal.SIGTERM)
        assert role.popen.wait(30) == 0


def test_a_part_that_cannot_go_on_ends_the_process_with_1_and_a_hint(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        write_some(role)
        eventually(lambda: all(row["manifest_end"] > 0 for row in role.status()["partitions"]), role)
        assert role.stop() == 0
    for manifest in (role.data / "bucket" / "forebay" / "segments").glob("*/0/*.json"):
        manifest.write_text("not a manifest")
    with Role("all-in-one", tmp_path) as role:
        assert role.popen is not None
        assert role.popen.wait(30) == 1
        last = role.tail(1)
        assert "level=error" in last
        assert "hint=" in last
        assert "Traceback" not in role.tail()
