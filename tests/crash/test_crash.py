"""A short storm of `make soak`, and proof that its checks can fail."""

import shutil
from pathlib import Path

import pytest

from tests.crash.storm import compare_objects, storm


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("record_version", [1, 2])
def test_kill_9_under_load_loses_and_repeats_nothing(tmp_path: Path, record_version: int) -> None:
    outcome = storm(tmp_path, rounds=8, seed=20_260, record_version=record_version)
    assert outcome.problems == ()
    assert outcome.acknowledged > 500
    assert outcome.manifests > 3
    assert (outcome.without_labels > 500) == (record_version == 2)


def test_a_changed_byte_and_a_missing_object_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "a" / "x" / "index").write_bytes(b"1")
    (tmp_path / "a" / "y").write_bytes(b"2")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert compare_objects(tmp_path / "a", tmp_path / "b") == []
    (tmp_path / "b" / "x" / "index").write_bytes(b"3")
    assert "x/index" in compare_objects(tmp_path / "a", tmp_path / "b")[0]
    (tmp_path / "b" / "y").unlink()
    assert "only stormy ['y']" in compare_objects(tmp_path / "a", tmp_path / "b")[0]
