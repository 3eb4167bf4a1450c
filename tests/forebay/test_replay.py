"""`forebay replay` beside a running all-in-one, whose log and bucket it reads."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.replay_range import Offset, Span, Time
from consumers.replay_report import BlockReport, SegmentReport
from forebay.clock import ManualClock
from forebay.replay import read_bound, render
from forebay.replay_meter import ReplayMeter
from tests.forebay.server import Role, run
from tests.forebay.test_all_in_one import eventually, write_some


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Role]:
    with Role("all-in-one", tmp_path_factory.mktemp("replayed")) as role:
        role.ready()
        write_some(role, 50)
        published(role)
        yield role
        assert role.stop() == 0


def published(role: Role) -> None:
    eventually(lambda: all(row["manifest_end"] == row["end_offset"] > 0 for row in role.status()["partitions"]), role)


def replay(role: Role, *flags: str) -> subprocess.CompletedProcess[str]:
    return run("replay", f"--data.dir={role.data}", f"--config.file={role.settings_file}", *flags)


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file() and ".staging" not in path.parts
    }


def test_a_published_range_is_left_alone_and_that_is_said(role: Role) -> None:
    before, committed = digests(role.data / "bucket"), digests(role.data / "log" / "commits")
    result = replay(role)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "nothing changed, 4 segments: 4 whole"
    assert digests(role.data / "bucket") == before
    assert digests(role.data / "log" / "commits") == committed
    assert replay(role, "--from=2100-01-01T00:00:00Z").stdout.splitlines()[-1].startswith("nothing to replay")


def test_what_is_deleted_under_a_running_process_comes_back(role: Role) -> None:
    bucket = role.data / "bucket"
    before = digests(bucket)
    blocks = sorted(path.parent for path in bucket.glob("*/meta.json"))
    shutil.rmtree(blocks[0])
    (blocks[1] / "index").unlink()
    gone = digests(bucket)
    planned = replay(role, "--dry-run")
    assert (planned.returncode, digests(bucket)) == (0, gone)
    assert planned.stdout.splitlines()[-1] == "dry run, nothing changed: 4 segments: 2 whole, 2 to be built"
    assert f"missing: {blocks[1].name}: tenant=default-tenant" in planned.stdout
    result = replay(role, "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert (report["ok"], report["dry_run"]) == (True, False)
    assert sorted(each["state"] for each in report["segments"]) == ["incomplete"] * 2 + ["whole"] * 2
    assert digests(bucket) == before
    write_some(role, 50)  # the group goes on as if nothing had been
    published(role)
    assert run("audit", f"--data.dir={role.data}", "--deep").returncode == 0


def test_what_cannot_be_asked_is_2_and_what_is_not_there_is_3(role: Role, tmp_path: Path) -> None:
    for flags in (["--from=yesterday"], ["--from=2026-01-01T00:00:00"], ["--from=5"], ["--partition=9"]):
        result = replay(role, *flags)
        assert (result.returncode, result.stdout) == (2, ""), result.stderr
        assert result.stderr.startswith("forebay: ")
    result = run("replay", f"--data.dir={tmp_path}")
    assert (result.returncode, "there is no log yet" in result.stderr) == (3, True)


def test_what_cannot_be_built_is_1_with_the_reason(role: Role, tmp_path: Path) -> None:
    """The bucket of one log beside another log."""
    with Role("gateway", tmp_path) as other:
        other.ready()
        assert other.stop() == 0
    shutil.copytree(role.data / "bucket", other.data / "bucket")
    shutil.rmtree(next(other.data.glob("bucket/*/meta.json")).parent)
    result = replay(other)
    assert result.returncode == 1
    assert "refused: partition=" in result.stdout
    assert "its log is not the one of the settings" in result.stdout
    assert "1 cannot be built" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "bound"), [("17", Offset(17)), ("1970-01-01T00:00:01.5Z", Time(1500)), ("1970-01-01T01:00+01:00", Time(0))]
)
def test_bounds_are_offsets_or_times(text: str, bound: Offset | Time) -> None:
    found = read_bound(text)
    assert (type(found), found) == (type(bound), bound)


def test_the_table_names_what_is_not_as_it_should_be() -> None:
    blocks = (BlockReport("A", "t", 0, 9, "compacted"), BlockReport("B", "t", 0, 7, "different", "files=index"))
    reports = [
        SegmentReport("log", 0, 0, 9, "incomplete", blocks=blocks, done=True),
        SegmentReport("log", 0, 9, 12, "open", reason="left to the live group"),
    ]
    lines = render(reports, dry_run=False).splitlines()
    assert lines[1].split() == ["log", "0", "[0,", "9)", "incomplete", "yes", "2", "0", "1", "0", "1"]
    assert lines[3] == "different: B: tenant=t samples=7 partition=0 start=0 end=9 files=index"
    assert lines[4] == "open: partition=0 start=9 end=12: left to the live group"
    assert lines[-1] == "2 segments: 0 whole, 1 built, 1 open"


def test_progress_says_when_it_will_be_done() -> None:
    stream, clock = io.StringIO(), ManualClock()
    meter = ReplayMeter(stream, clock, 4000)
    meter.begin(Span("log", 0, 0, 1000))
    clock.advance(30)
    meter.advance(0, 500)
    meter.begin(Span("log", 1, 7000, 10_000))
    clock.advance(30)
    meter.advance(1, 7500)
    meter.advance(1, 8000)
    clock.advance(30)
    meter.begin(Span("log", 1, 10_000, 10_500))  # what is whole is verified, and nothing of it read from the log
    assert stream.getvalue().splitlines() == [
        "replay: partition=0 offset=500 done=12.5% eta=3m30s",
        "replay: partition=1 offset=7500 done=37.5% eta=1m40s",
        "replay: partition=1 offset=10000 done=100.0% eta=0s",
    ]


def test_an_interrupted_replay_says_how_to_go_on(role: Role) -> None:
    code = (
        "import os, signal, sys; from consumers.replay_log import ReplayLog; from forebay.main import main\n"
        "whole = ReplayLog.standing\n"
        "def standing(log, manifest): os.kill(os.getpid(), signal.SIGINT); return whole(log, manifest)\n"
        "ReplayLog.standing = standing; sys.exit(main())\n"
    )
    block = next(path.parent for path in role.data.glob("bucket/*/meta.json"))
    shutil.rmtree(block)
    command = [sys.executable, "-c", code, "replay", f"--data.dir={role.data}", f"--config.file={role.settings_file}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert "run the same command again" in result.stderr
    assert replay(role).returncode == 0
    assert (block / "meta.json").exists()
