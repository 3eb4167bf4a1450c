"""Two processes on one data directory leave each other's blocks alone, and clean up after the dead."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bucket.workspace import Workspace

_OTHER = """
import sys
from pathlib import Path
from bucket.workspace import Workspace
staging = Workspace(Path(sys.argv[1]), "consumer")
directory = staging.directory()
(directory / "block").mkdir()
print(directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return tmp_path / "data" / "staging"


def test_another_process_is_left_alone_while_it_lives_and_swept_after_its_death(parent: Path) -> None:
    arguments = [sys.executable, "-c", _OTHER, str(parent)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        beside = Workspace(parent, "consumer")
        assert beside.directory() != theirs
        assert (theirs / "block").is_dir()
        other.kill()
    after = Workspace(parent, "consumer")
    after.directory()
    assert not theirs.exists()
    assert beside.directory().is_dir()
    after.close()
    beside.close()
    assert list(parent.iterdir()) == []


def test_two_in_one_process_do_not_share(parent: Path) -> None:
    one, two = Workspace(parent, "consumer"), Workspace(parent, "consumer")
    (one.directory() / "block").mkdir()
    assert two.directory() != one.directory()
    two.close()
    two.close()
    assert (one.directory() / "block").is_dir()
    one.close()


def test_what_nobody_has_any_more_is_swept(parent: Path) -> None:
    before = psutil.Process().num_fds()
    forgotten = Workspace(parent, "consumer").directory()
    kept = Workspace(parent, "consumer")
    assert kept.directory().is_dir()
    assert not forgotten.exists()
    kept.close()
    assert psutil.Process().num_fds() == before


def test_what_vanished_is_made_again_and_held(parent: Path) -> None:
    staging = Workspace(parent, "consumer")
    gone = staging.directory()
    gone.rmdir()
    parent.rmdir()
    again = staging.directory()
    assert again.is_dir()
    other = Workspace(parent, "consumer")
    other.directory()
    assert again.is_dir()
    other.close()
    staging.close()


def test_others_directories_are_no_business_of_ours(parent: Path) -> None:
    compactor = parent / "compactor" / "merge-1"
    compactor.mkdir(parents=True)
    (parent / "consumer-notes.txt").write_text("a file")
    staging = Workspace(parent, "consumer")
    staging.directory()
    staging.close()
    assert compactor.is_dir()
    assert (parent / "consumer-notes.txt").is_file()


def test_a_parent_that_cannot_be_made_is_an_error_until_it_can(parent: Path) -> None:
    parent.parent.mkdir()
    parent.write_text("a file where a directory should be")
    staging = Workspace(parent, "consumer")
    with pytest.raises(FileExistsError):
        staging.directory()
    parent.unlink()
    assert staging.directory().is_dir()
    staging.close()
