"""Disks that fill, go read-only or are not there: writes are kept or refused with 503, and all goes on by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forebay import ForebayServer, audit
from tests.faults.client import Answer, Client, assert_kept, call, until
from tests.faults.small_disk import SmallDisk, small_disk

QUICK: dict[str, Any] = {
    "segment": {"interval": "1s", "grace": "100ms"},
    "consumer": {"retry_max": "1s"},
    "compactor": {"interval": "500ms", "retry_max": "1s"},
    "self_metrics": {"enabled": False},
}

HARMS: tuple[tuple[Callable[[SmallDisk], None], Callable[[SmallDisk], None], str, str], ...] = (
    (SmallDisk.fill, SmallDisk.empty, "No space left on device", "make room: df -h /"),
    (SmallDisk.make_readonly, SmallDisk.make_writable, "Read-only file system", "mount it writable"),
)


def readiness(server: ForebayServer) -> Answer:
    return call("GET", f"{server.url}/-/ready")


def assert_published(server: ForebayServer, *clients: Client) -> None:
    server.wait_published(30)
    assert_kept(server.bucket, *clients)
    code, report = audit(server.settings_file, server.data, "--deep")
    assert code == 0, report
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_a_full_log_disk_is_503_until_there_is_room(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    settings = QUICK | {"bucket": {"type": "FILESYSTEM", "config": {"directory": str(bucket)}}}
    with small_disk(tmp_path / "disk", 32) as disk, ForebayServer(disk.path, settings) as server:
        server.bucket = bucket
        server.ready()
        clients = [Client(server.url, "one"), Client(server.url, "two")]
        assert [client.send().status for client in clients] == [204, 204]
        disk.fill(leave=4 << 20)
        for _ in range(60):
            refused = [answer for client in clients if (answer := client.send(padding=5000)).status != 204]
            if refused:
                break
        assert [answer.status for answer in refused] == [503] * len(refused), refused
        assert all(answer.retry_after for answer in refused)
        assert "embedded log failed" in refused[0].text
        not_ready = until(lambda: (a := readiness(server)).status == 503 and a, "unreadiness")
        assert "log: embedded log failed" in not_ready.text
        assert "hint: free disk space" in not_ready.text
        assert {client.send(padding=5000).status for client in clients for _ in range(5)} <= {204, 503}
        disk.empty()
        until(lambda: readiness(server).status == 200, "readiness without a request")
        assert [client.send().status for client in clients] == [204, 204]
        assert_published(server, *clients)


def test_a_bucket_that_takes_nothing_is_waited_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "bucket", 16) as disk:
        settings = QUICK | {"bucket": {"type": "FILESYSTEM", "config": {"directory": str(disk.path)}}}
        with ForebayServer(tmp_path / "server", settings) as server:
            server.bucket = disk.path
            server.ready()
            client = Client(server.url, "one")
            assert client.send().status == 204
            server.wait_published()
            for harm, repair, problem, hint in HARMS:
                harm(disk)
                assert client.send().status == 204
                not_ready = until(lambda: (a := readiness(server)).status == 503 and a, problem)
                assert "consumer: partition=" in not_ready.text
                assert problem in not_ready.text
                assert hint in not_ready.text
                assert client.send().status == 204
                until(lambda: client.read(__name__="faults") == client.promised, "fresh reads")
                assert hint in server.tail()
                assert metric(server, "forebay_consumer_publish_failures_total") > 0
                repair(disk)
                server.wait_published(30)
                until(lambda: readiness(server).status == 200, "readiness")
            assert_published(server, client)


def metric(server: ForebayServer, name: str) -> float:
    for line in call("GET", f"{server.url}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise LookupError(name)


@pytest.mark.parametrize("bucket", ["a/missing/directory", "file", "read-only"])
def test_a_bucket_directory_is_made_or_the_start_says_what_is_wrong(tmp_path: Path, bucket: str) -> None:
    (tmp_path / "file").write_text("not a directory")
    settings = QUICK | {"bucket": {"type": "FILESYSTEM", "config": {"directory": str(tmp_path / bucket)}}}
    with small_disk(tmp_path / "read-only", 1) as disk, ForebayServer(tmp_path / "server", settings) as server:
        disk.make_readonly()
        assert server.popen is not None
        if bucket == "a/missing/directory":
            server.ready()
            assert server.stop() == 0
            return
        assert server.popen.wait(30) == 3
        hint = {"file": "a file lies where a directory should: move it", "read-only": "mount it writable"}[bucket]
        assert hint in server.tail(1)
        assert str(tmp_path / bucket) in server.tail(1)
