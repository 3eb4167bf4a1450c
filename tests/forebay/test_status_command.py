"""`forebay status`: what it finds on a real log, a bucket in memory, and beside real processes."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.embedded import EmbeddedWriter
from broker.embedded_group_view import EmbeddedGroupView
from broker.embedded_reader import EmbeddedReader
from broker.log import GroupDescription, GroupMember, LogUnavailable, NewRecord
from broker.record import new_headers
from broker.settings import EmbeddedSettings
from bucket.bucket import BucketUnavailable, ObjectInfo
from bucket.layout import manifest_key
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from forebay.clock import ManualClock
from forebay.status_command import render
from forebay.status_consumers import Answer, ask
from forebay.status_look import Looker
from forebay.status_report import ConsumerReport, Problem, StatusReport
from tests.bucket.manifests import make_manifest
from tests.forebay.server import ROOT, Role, run
from tests.forebay.test_all_in_one import eventually, write_some
from tests.peers.process import free_port

LATE = 3600.0
EVERYBODY = GroupDescription((GroupMember("a", (0, 1)), GroupMember("b", (2, 3))), {0: 2})


class FakeGroup:
    def __init__(self) -> None:
        self.described: GroupDescription | LogUnavailable = EVERYBODY

    def describe(self) -> GroupDescription:
        if isinstance(self.described, LogUnavailable):
            raise self.described
        return self.described

    def close(self) -> None:
        pass


class World:
    """A log of four partitions; the first has four records, appended ten seconds apart."""

    def __init__(self, directory: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.log_id = asyncio.run(self._fill(directory))
        self.reader = EmbeddedReader(directory)
        self.bucket = MemoryBucket()
        self.group = FakeGroup()
        self.answers: dict[str, Answer] = {}

    async def _fill(self, directory: Path) -> str:
        writer = EmbeddedWriter(EmbeddedSettings(), directory, self.clock)
        for _ in range(4):
            await writer.append([NewRecord(0, b"a", b"x", new_headers())])
            self.clock.advance(10)
        await writer.close()
        return writer.log_id

    def publish(self, start: int, end: int) -> None:
        ManifestStore(self.bucket).create(make_manifest(start, end, log_id=self.log_id))

    def look(self, bucket: MemoryBucket | None = None) -> StatusReport:
        looker = Looker(
            self.reader,
            self.group,
            bucket or self.bucket,
            group_id="forebay",
            urls=list(self.answers),
            late_seconds=LATE,
            clock=self.clock,
            ask=self.answers.__getitem__,
        )
        return looker.look()


@pytest.fixture
def world(tmp_path: Path, clock: ManualClock) -> Iterator[World]:
    world = World(tmp_path / "log", clock)
    yield world
    world.reader.close()


def answer(log_id: str | None, **row: Any) -> Answer:
    """What a consumer with one partition says, as it comes over the wire."""
    held = {"partition": 0, "position": 3, "records": 2, "samples": 20, "series": 5} | row
    report = ConsumerReport(url="http://c", role="consumer", ready=True, partitions=(0,), samples=20)
    return msgspec.convert({"report": msgspec.to_builtins(report), "log_id": log_id, "held": [held]}, Answer)


def test_lag_is_told_without_asking_any_consumer(world: World) -> None:
    world.publish(0, 1)
    report = world.look()
    assert report.ok
    row = report.partitions[0]
    assert (row.owner, row.committed, row.published, row.end_offset) == ("a", 2, 1, 4)
    assert (row.unpublished, row.unpublished_seconds) == (3, 30.0)
    assert (row.position, row.lag, row.lag_seconds) == (None, None, None)
    assert row.open is not None
    assert (row.open.start, row.open.since) == (1, world.clock.now_ms() - 30_000)
    assert row.last_manifest is not None
    assert (row.last_manifest.end, row.last_manifest.ended_by) == (1, "mark")
    idle = report.partitions[3]
    assert (idle.owner, idle.unpublished, idle.unpublished_seconds, idle.open) == ("b", 0, 0.0, None)
    lines = render(report).splitlines()
    assert lines[-1] == "ok, 3 records wait to be published, the oldest for 30s: memory"
    assert len([line for line in lines if "from 1 since 20" in line]) == 1


def test_a_consumer_that_answers_says_more(world: World) -> None:
    world.publish(0, 1)
    world.answers["http://c"] = answer(world.log_id, memory_bytes=3 << 20, sealing=True)
    report = world.look()
    row = report.partitions[0]
    assert (row.position, row.lag, row.lag_seconds) == (3, 1, 10.0)
    assert row.open is not None
    assert (row.open.records, row.open.samples, row.open.series, row.open.sealing) == (2, 20, 5, True)
    assert report.ok
    assert "20 samples of 5 series, sealing" in render(report)
    world.answers["http://c"] = answer(world.log_id, position=4)
    assert world.look().partitions[0].lag_seconds == 0.0


def found(report: StatusReport) -> list[tuple[str, str]]:
    """Where and what, without values."""
    return [(problem.where, problem.message.split(":")[0]) for problem in report.problems]


def test_what_is_wrong_is_said_with_a_hint(world: World) -> None:
    world.group.described = GroupDescription((), {})
    report = world.look()
    assert found(report) == [("partition 0", "no consumer has it, and records wait")]  # the idle ones need none
    assert report.problems[0].hint == "start a consumer of this group: consumer.group=forebay"
    assert render(report).splitlines()[-1] == "1 thing is wrong: memory"
    world.group.described = EVERYBODY
    world.clock.advance(LATE)
    assert found(world.look()) == [("partition 0", "records wait longer than segments take")]


def test_a_log_that_went_back_is_wrong(world: World) -> None:
    world.publish(0, 9)
    assert found(world.look()) == [("partition 0", "log ends before what is published")]


def test_retention_that_overtook_is_wrong(world: World) -> None:
    class Overtaken(EmbeddedReader):
        def start_offset(self, partition: int) -> int:
            return 3 if partition == 0 else 0

    world.publish(0, 2)
    world.reader.__class__ = Overtaken
    report = world.look()
    assert [problem.message for problem in report.problems] == [
        "log has let records go that were not published: from=2 to=3"
    ]
    assert (report.partitions[0].unpublished, report.partitions[0].unpublished_seconds) == (1, 10.0)


def test_consumers_that_cannot_or_do_not_are_wrong(world: World) -> None:
    world.answers["http://a"] = Answer(ConsumerReport(url="http://a", problem="refused"))
    world.answers["http://b"] = answer("another log", failing="disk full")
    unready = answer(world.log_id)
    report = msgspec.structs.replace(unready.report, ready=False, objections=("bucket: away",))
    world.answers["http://c"] = msgspec.structs.replace(unready, report=report, held=())
    assert found(world.look()) == [
        ("partition 0", "disk full"),
        ("http://a", "no answer"),
        ("http://c", "it reads another log"),
        ("http://c", "not ready"),
    ]


def test_without_the_bucket_committed_offsets_speak(world: World) -> None:
    class Down(MemoryBucket):
        asked = 0

        def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
            self.asked += 1
            raise BucketUnavailable("no route")

    down = Down()
    report = world.look(down)
    assert down.asked == 1  # not once for each partition: each time may be a time-out
    assert found(report) == [("bucket", "no route")]
    row = report.partitions[0]
    assert (row.published, row.by_manifest, row.unpublished, row.unpublished_seconds) == (2, False, 2, 20.0)
    assert "2 committed" in render(report)


def test_a_manifest_that_cannot_be_read_spoils_its_partition_only(world: World) -> None:
    world.bucket.put(manifest_key(world.log_id, 0, 0), b"{")
    ManifestStore(world.bucket).create(make_manifest(0, 9, log_id=world.log_id, partition=1))
    report = world.look()
    assert [(problem.where, problem.message[:23]) for problem in report.problems] == [
        ("partition 0", "manifest cannot be read"),
        ("partition 1", "log ends before what is"),
    ]
    assert [(row.published, row.by_manifest) for row in report.partitions[:2]] == [(2, False), (9, True)]


def test_a_group_that_cannot_be_asked_is_not_one_without_members(world: World) -> None:
    world.group.described = LogUnavailable("no coordinator", hint="wait")
    report = world.look()
    assert report.problems == (Problem("group", "no coordinator", "wait"),)
    assert report.partitions[0].unpublished == 4


def test_a_hint_for_many_stands_once(world: World) -> None:
    alike = [Problem(f"partition {n}", "alike", "do this") for n in range(3)]
    text = render(msgspec.structs.replace(world.look(), problems=(*alike, Problem("x", "\x1b[31m", ""))))
    assert text.count("hint: do this") == 1
    assert text.count("\nwrong: ") == 4
    assert "\x1b" not in text


def test_what_is_no_status_is_no_answer(tmp_path: Path) -> None:
    assert ask(f"http://127.0.0.1:{free_port()}").report.problem
    with Role("gateway", tmp_path) as role:
        role.ready()
        assert ask(role.url).report.role == "gateway"
        assert ask(f"{role.url}/metrics?").report.problem


def settings_file(directory: Path, urls: list[str]) -> Path:
    file = directory / "status.yaml"
    file.write_text(json.dumps({"status": {"urls": urls}}))
    return file


def test_beside_a_process_and_after_it(tmp_path: Path) -> None:
    with Role("all-in-one", tmp_path, {"segment": {"interval": "1h"}}) as role:
        role.ready()
        write_some(role)
        arguments = ("status", f"--data.dir={role.data}", f"--config.file={role.settings_file}")
        eventually(lambda: role.status()["partitions"][0].get("records"), role)
        result = run(*arguments, "--json", f"--url={role.url}/")
        assert result.returncode == 0, result.stdout + result.stderr
        report = json.loads(result.stdout)
        assert report["ok"] is True
        assert {row["owner"] for row in report["partitions"]} == {f"pid {role.pid}"}
        assert sum(row["open"]["samples"] for row in report["partitions"]) == 50
        assert [each["samples"] for each in report["consumers"]] == [50]
        assert role.stop() == 0
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stdout.count("no consumer has it, and records wait: records=1") == 4
    assert result.stdout.splitlines()[-1].startswith("4 things are wrong: filesystem directory=")


def test_a_log_that_is_not_there_is_3(tmp_path: Path) -> None:
    result = run("status", f"--data.dir={tmp_path / 'mistyped'}")
    assert (result.returncode, "there is no log yet" in result.stderr) == (3, True)
    assert not (tmp_path / "mistyped").exists()


def test_urls_may_stand_in_the_settings_file(tmp_path: Path) -> None:
    asyncio.run(EmbeddedWriter(EmbeddedSettings(), tmp_path / "log", ManualClock()).close())
    url = f"http://127.0.0.1:{free_port()}"
    result = run("status", f"--data.dir={tmp_path}", f"--config.file={settings_file(tmp_path, [url])}")
    assert (result.returncode, f"wrong: {url}: no answer" in result.stdout) == (1, True)
    bad = run("status", f"--config.file={settings_file(tmp_path, ['consumer:9203'])}")
    assert (bad.returncode, "not a URL such as" in bad.stderr) == (2, True)
    assert run("status", "--url=ftp://consumer").returncode == 2


def test_watch_looks_again_until_interrupted(tmp_path: Path) -> None:
    asyncio.run(EmbeddedWriter(EmbeddedSettings(), tmp_path / "log", ManualClock()).close())
    command = [sys.executable, "-m", "forebay", "status", "--watch", f"--data.dir={tmp_path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        verdicts = 0
        deadline = time.monotonic() + 30
        while verdicts < 2:
            verdicts += watching.stdout.readline().startswith("ok, 0 records wait")
            assert time.monotonic() < deadline
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0


def test_the_embedded_group_needs_no_directory(tmp_path: Path) -> None:
    assert EmbeddedGroupView(tmp_path / "nothing", "forebay").describe() == ((), {})
