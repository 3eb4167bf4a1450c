"""Processes that share a data directory stay out of each other's work in progress."""

from pathlib import Path

from forebay.staging import own_directory


def test_two_processes_have_two_directories_and_leave_nothing(tmp_path: Path) -> None:
    with own_directory(tmp_path, "compactor") as first:
        work = first / "segments" / "1" / "index"
        work.parent.mkdir(parents=True)
        work.write_bytes(b"being built")
        with own_directory(tmp_path, "compactor") as second:
            assert second != first
        assert work.read_bytes() == b"being built"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "compactor-0123456789abcdef"
    left.mkdir()
    (left / "lock").write_text("1\n")
    (left / "index").write_bytes(b"half")
    other = tmp_path / "consumer-0123456789abcdef"
    other.mkdir()
    with own_directory(tmp_path, "compactor"):
        assert not left.exists()
        assert other.exists()


def test_a_place_that_cannot_be_used_is_met_by_whoever_works_there(tmp_path: Path) -> None:
    place = tmp_path / "staging"
    place.write_text("a file where a directory should be")
    with own_directory(place, "compactor") as directory:
        assert not directory.exists()
