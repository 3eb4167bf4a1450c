"""`forebay audit` over a bucket that a real process made."""

import io
import json
from pathlib import Path

import pytest

from bucket.audit_report import AuditReport, Discrepancy, Note, Progress, Totals
from forebay.audit import Meter, render
from tests.forebay.server import Role, run
from tests.forebay.test_all_in_one import eventually, write_some

_NOTHING = Totals(*[0] * 14)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("audited")
    with Role("all-in-one", directory) as role:
        role.ready()
        write_some(role, 50)
        eventually(
            lambda: all(row["manifest_end"] == row["end_offset"] > 0 for row in role.status()["partitions"]), role
        )
        assert role.stop() == 0
    return role.data


def test_a_sound_bucket_is_0_and_accounts_for_every_sample(data: Path) -> None:
    result = run("audit", f"--data.dir={data}", "--deep")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        *("log", "partition", "segments", "offsets", "records", "samples"),
        *("stored", "duplicate", "deduplicated", "rejected", "blocks"),
    ]
    assert lines[-1].startswith("ok, 50 samples = 50 stored + 0 duplicate + 0 rejected; 4 blocks")
    assert "bytes compared" in lines[-1]
    assert result.stderr == ""


def test_json_is_the_same_report(data: Path) -> None:
    report = json.loads(run("audit", f"--data.dir={data}", "--json").stdout)
    assert report["ok"] is True
    assert report["totals"]["samples"] == 50
    assert [row["partition"] for row in report["partitions"]] == [0, 1, 2, 3]


def test_the_bucket_may_be_named_in_the_settings_file(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"bucket: {{type: FILESYSTEM, config: {{directory: '{data / 'bucket'}'}}}}")
    result = run("audit", f"--config.file={file}", f"--data.dir={tmp_path}")
    assert (result.returncode, "ok, 50 samples" in result.stdout) == (0, True)


def test_no_manifest_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    result = run("audit", f"--data.dir={tmp_path}")
    assert (result.returncode, "nothing to audit" in result.stdout) == (3, True)


def test_a_bucket_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = run("audit", f"--data.dir={tmp_path / 'mistyped'}")
    assert (result.returncode, result.stdout) == (3, "")
    assert "there is no bucket" in result.stderr
    assert "hint: see --data.dir" in result.stderr


def test_a_flipped_byte_is_1_with_the_file_and_a_hint(data: Path) -> None:
    index = next((data / "bucket").glob("*/index"))
    whole = index.read_bytes()
    index.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        assert run("audit", f"--data.dir={data}").returncode == 0  # sizes are as they were
        result = run("audit", f"--data.dir={data}", "--deep")
    finally:
        index.write_bytes(whole)
    assert result.returncode == 1
    assert f"discrepancy file-hash: {index.parent.name}/index" in result.stdout
    assert "hint: " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 discrepancy: ")


def test_a_crowd_of_notes_does_not_hide_what_is_wrong() -> None:
    notes = [Note("superseded", f"{n}/", "merged", 3 * 3_600_000 + n) for n in range(500)]
    report = AuditReport(
        (), _NOTHING, (Discrepancy("file-missing", "index", "gone", "restore it"),), tuple(notes), deep=False
    )
    lines = render(report, "memory").splitlines()
    assert len(lines) < 20
    assert "note superseded: 0/: merged (written 3h ago)" in lines
    assert "note superseded: and 490 more, which --json lists" in lines
    assert lines[-4:-2] == ["discrepancy file-missing: index: gone", "    hint: restore it"]


@pytest.mark.parametrize(
    ("age", "said"), [(-5, "0s"), (59_999, "59s"), (119_999, "119s"), (7_199_999, "119m"), (172_800_000, "2d")]
)
def test_ages_are_rounded_for_people(age: int, said: str) -> None:
    report = AuditReport((), _NOTHING, (), (Note("partial", "a/", "half", age),), deep=False)
    assert f"note partial: a/: half (written {said} ago)\n" in render(report, "memory")


def test_progress_is_for_terminals_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, expected in ((Terminal(), "manifests 7"), (io.StringIO(), "")):
        meter = Meter(stream)
        meter.show(Progress("manifests", 7, 0))
        meter.show(Progress("manifests", 8, 0))
        assert (expected in stream.getvalue()) if expected else stream.getvalue() == ""
        assert "manifests 8" not in stream.getvalue()
