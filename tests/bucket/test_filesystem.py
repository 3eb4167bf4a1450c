import errno
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bucket.bucket import Bucket, BucketMisconfigured, BucketUnavailable, PreconditionFailed
from bucket.filesystem import FilesystemBucket
from bucket.keys import InvalidKey
from tests.bucket.contract import BucketContract

ROOT = Path(__file__).parent.parent.parent


class TestFilesystemBucket(BucketContract):
    @pytest.fixture
    def bucket(self, tmp_path: Path) -> Bucket:
        return FilesystemBucket(tmp_path / "deep" / "bucket")


@pytest.fixture
def bucket(tmp_path: Path) -> FilesystemBucket:
    return FilesystemBucket(tmp_path)


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in (directory / ".staging").glob("*.tmp")]


def _create(directory: Path, start: float, number: int) -> bool:
    bucket = FilesystemBucket(directory)
    time.sleep(max(0.0, start - time.time()))
    try:
        bucket.create("dir/key", str(number).encode())
    except PreconditionFailed:
        return False
    return True


def test_of_racing_processes_one_creates(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    with context.Pool(16) as pool:
        start = time.time() + 1.5
        won = pool.starmap(_create, [(tmp_path, start, number) for number in range(16)], chunksize=1)
    assert sum(won) == 1
    assert FilesystemBucket(tmp_path).get("dir/key") == str(won.index(True)).encode()


_WRITER = """
import sys
from pathlib import Path
from bucket.filesystem import FilesystemBucket
bucket = FilesystemBucket(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    bucket.put("k", (b"%d" % (number % 10)) * 3_000_000)
    if number == 1:
        print("going", flush=True)
"""


def test_kill_in_the_middle_of_put_leaves_a_whole_object(tmp_path: Path) -> None:
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"going\n"
            time.sleep(0.003 * attempt)
            process.send_signal(signal.SIGKILL)
        data = FilesystemBucket(tmp_path).get("k")
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
        assert [info.key for info in FilesystemBucket(tmp_path).list("")] == ["k"]
    FilesystemBucket(tmp_path).put("other", b"")
    assert leftovers(tmp_path) == []


def test_the_leftover_of_a_dead_writer_is_swept_and_a_live_ones_is_not(tmp_path: Path) -> None:
    first = FilesystemBucket(tmp_path)
    first.put("a", b"")
    (tmp_path / ".staging" / "dead.tmp").write_bytes(b"half")
    with first._staging.file() as (file, staged):
        FilesystemBucket(tmp_path).put("b", b"")
        assert leftovers(tmp_path) == [staged.name]
        file.write(b"still writing")
    assert leftovers(tmp_path) == []


def test_a_failed_write_leaves_nothing(tmp_path: Path, bucket: FilesystemBucket) -> None:
    bucket.create("k", b"")
    with pytest.raises(PreconditionFailed):
        bucket.create("k", b"")
    assert leftovers(tmp_path) == []


def test_a_mapped_object_outlives_its_key(bucket: FilesystemBucket) -> None:
    bucket.put("block/chunks/000001", b"old" * 5000)
    path = bucket.local_path("block/chunks/000001")
    assert path is not None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        bucket.put("block/chunks/000001", b"n")
        bucket.delete("block/chunks/000001")
        assert mapped[:] == b"old" * 5000


def test_names_that_are_no_objects_are_not_listed(tmp_path: Path, bucket: FilesystemBucket) -> None:
    bucket.put("a/b", b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "x").touch()
    (os.fsencode(tmp_path) + b"/\xff").decode("utf-8", "surrogateescape")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    assert [info.key for info in bucket.list("")] == ["a/b"]
    assert list(bucket.list_dirs("")) == ["a"]
    with pytest.raises(InvalidKey):
        bucket.put(".staging/k", b"")


def test_a_bucket_nobody_wrote_to_is_empty_and_is_not_made(tmp_path: Path) -> None:
    bucket = FilesystemBucket(tmp_path / "none")
    assert list(bucket.list("")) == []
    assert list(bucket.list_dirs("")) == []
    bucket.delete("k")
    assert not (tmp_path / "none").exists()


def test_an_emptied_directory_is_made_anew(tmp_path: Path, bucket: FilesystemBucket) -> None:
    bucket.put("a", b"")
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    tmp_path.rmdir()
    bucket.put("b/c", b"again")
    assert bucket.get("b/c") == b"again"


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "bucket").write_text("")
    with pytest.raises(BucketMisconfigured, match=str(tmp_path / "bucket")):
        FilesystemBucket(tmp_path / "bucket").put("k", b"")
    bucket = FilesystemBucket(tmp_path / "other")
    bucket.put("a", b"")
    with pytest.raises(BucketMisconfigured, match="a file lies where a directory should"):
        bucket.put("a/b", b"")


@pytest.mark.parametrize(
    ("number", "error", "hint"),
    [
        (errno.ENOSPC, BucketUnavailable, "make room"),
        (errno.EDQUOT, BucketUnavailable, "make room"),
        (errno.EIO, BucketUnavailable, "look at the disk"),
        (errno.EROFS, BucketMisconfigured, "mount it writable"),
        (errno.EACCES, BucketMisconfigured, "let the user"),
    ],
)
def test_the_systems_error_becomes_what_the_caller_does_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], hint: str
) -> None:
    bucket = FilesystemBucket(tmp_path)
    bucket.put("k", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(error, match=hint) as caught:
            bucket.put("k", b"new")
    assert str(tmp_path) in str(caught.value)
    assert bucket.get("k") == b"old"
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_really_full_device_is_told_from_a_broken_one(
    bucket: FilesystemBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the bucket closes it
    monkeypatch.setattr(bucket._staging, "_open", lambda: (full, Path("/nonexistent/full")))
    with pytest.raises(BucketUnavailable, match="make room"):
        bucket.put("k", b"data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(BucketMisconfigured, match=str(tmp_path)):
            FilesystemBucket(tmp_path).put("k", b"")
    finally:
        tmp_path.chmod(0o700)
