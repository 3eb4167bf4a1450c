"""What every bucket must do. A test class per implementation inherits this and gives the `bucket` fixture."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bucket.bucket import Bucket, BucketUnavailable, ObjectNotFound, PreconditionFailed
from bucket.keys import InvalidKey

BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "./a",
    "a/..",
    "a\0b",
    "a\nb",
    "a\\b",
    "a/" + "x" * 256,
    "\ud800",
]


def racing(times: int, act: Callable[[int], None]) -> list[BaseException | None]:
    """What each of `times` threads that start together ended with."""
    barrier = threading.Barrier(times)

    def run(number: int) -> BaseException | None:
        barrier.wait()
        try:
            act(number)
        except Exception as error:  # noqa: BLE001 - the outcome is what is asked for
            return error
        return None

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


class BucketContract:
    every_write_is_a_version = True
    """False where a version is a digest of the content, as in S3."""
    tries = 1
    """Of a write beside a delete. MinIO may answer 403 while it removes the directory; whoever writes tries again."""

    def test_an_object_is_what_was_put(self, bucket: Bucket) -> None:
        bucket.put("a/b/c.json", b"one")
        assert bucket.get("a/b/c.json") == b"one"
        bucket.put("a/b/c.json", b"another")
        assert bucket.get("a/b/c.json") == b"another"
        bucket.put("empty", b"")
        assert bucket.get("empty") == b""
        assert bucket.stat("empty").size == 0

    def test_a_file_is_put_and_left_alone(self, bucket: Bucket, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(bytes(range(256)) * 10_000)
        bucket.put_file("block/chunks/000001", source)
        source.write_bytes(b"changed later")
        assert bucket.get("block/chunks/000001") == bytes(range(256)) * 10_000
        with pytest.raises(FileNotFoundError):
            bucket.put_file("block/index", tmp_path / "missing")

    def test_ranges_end_where_the_object_ends(self, bucket: Bucket) -> None:
        bucket.put("k", b"0123456789")
        assert bucket.get_range("k", 0, 4) == b"0123"
        assert bucket.get_range("k", 7, 2) == b"78"
        assert bucket.get_range("k", 7, 100) == b"789"
        assert bucket.get_range("k", 10, 5) == b""
        assert bucket.get_range("k", 99, 5) == b""
        assert bucket.get_range("k", 3, 0) == b""

    def test_what_is_not_there_is_not_found(self, bucket: Bucket, tmp_path: Path) -> None:
        bucket.put("a/b", b"")
        for key in ["x", "a", "a/b/c", "a/x"]:
            for call in (bucket.get, bucket.stat, lambda k: bucket.get_range(k, 0, 1)):
                with pytest.raises(ObjectNotFound):
                    call(key)
            with pytest.raises(ObjectNotFound):
                bucket.download(key, tmp_path / "none")
            with pytest.raises(ObjectNotFound):
                bucket.replace(key, b"", "any")
        assert not (tmp_path / "none").exists()
        assert [info.key for info in bucket.list("")] == ["a/b"]

    def test_download_writes_a_new_file(self, bucket: Bucket, tmp_path: Path) -> None:
        bucket.put("k", b"data" * 1_000_000)
        bucket.download("k", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"data" * 1_000_000
        with pytest.raises(FileExistsError):
            bucket.download("k", tmp_path / "copy")

    def test_create_refuses_what_is_there(self, bucket: Bucket) -> None:
        bucket.create("d/k", b"first")
        with pytest.raises(PreconditionFailed):
            bucket.create("d/k", b"first")
        assert bucket.get("d/k") == b"first"
        bucket.delete("d/k")
        bucket.create("d/k", b"second")
        assert bucket.get("d/k") == b"second"

    def test_of_racing_creates_one_succeeds(self, bucket: Bucket) -> None:
        for attempt in range(3):
            key = f"new{attempt}/dir/key"

            def create(number: int, key: str = key) -> None:
                bucket.create(key, str(number).encode())

            outcomes = racing(16, create)
            winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
            assert len(winners) == 1
            assert all(isinstance(o, PreconditionFailed) for o in outcomes if o is not None)
            assert bucket.get(key) == str(winners[0]).encode()

    def test_replace_wants_the_version_it_read(self, bucket: Bucket) -> None:
        bucket.put("k", b"1")
        first = bucket.stat("k").version
        bucket.replace("k", b"2", first)
        second = bucket.stat("k").version
        assert second != first
        with pytest.raises(PreconditionFailed):
            bucket.replace("k", b"3", first)
        assert bucket.get("k") == b"2"
        bucket.put("k", b"4")
        with pytest.raises(PreconditionFailed):
            bucket.replace("k", b"5", second)
        assert bucket.get("k") == b"4"

    def test_versions_differ_however_fast_they_follow(self, bucket: Bucket) -> None:
        seen = set()
        for number in range(20):
            bucket.put("k", str(number % 2).encode())
            seen.add(bucket.stat("k").version)
        assert len(seen) == (20 if self.every_write_is_a_version else 2)

    def test_of_racing_replaces_one_succeeds(self, bucket: Bucket) -> None:
        bucket.put("k", b"")
        version = bucket.stat("k").version
        outcomes = racing(16, lambda number: bucket.replace("k", str(number).encode(), version))
        winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(o, PreconditionFailed) for o in outcomes if o is not None)
        assert bucket.get("k") == str(winners[0]).encode()

    def test_no_update_is_lost_to_a_replace(self, bucket: Bucket) -> None:
        """Counters by read and replace, from many threads: every success counts."""
        bucket.put("n", b"0")

        def count(_: int) -> None:
            for _ in range(5):
                while True:
                    version = bucket.stat("n").version
                    value = int(bucket.get("n"))
                    try:
                        bucket.replace("n", str(value + 1).encode(), version)
                        break
                    except PreconditionFailed:
                        continue

        assert racing(4, count) == [None] * 4
        assert bucket.get("n") == b"20"

    def test_delete_is_done_once_and_repeated_freely(self, bucket: Bucket) -> None:
        bucket.put("a/b/c", b"")
        bucket.put("a/d", b"")
        bucket.delete("a/b/c")
        bucket.delete("a/b/c")
        bucket.delete("never/was")
        assert [info.key for info in bucket.list("")] == ["a/d"]
        assert list(bucket.list_dirs("a/")) == []

    def test_deletes_and_puts_of_neighbours_do_not_meet(self, bucket: Bucket) -> None:
        """A directory that becomes empty is no reason for a write beside it to fail."""

        def act(number: int) -> None:
            for _ in range(10):
                for left in reversed(range(self.tries)):
                    try:
                        bucket.put(f"dir/sub/{number}", b"x")
                        bucket.delete(f"dir/sub/{number}")
                        break
                    except BucketUnavailable:
                        if not left:
                            raise

        assert racing(4, act) == [None] * 4
        assert list(bucket.list("")) == []

    def test_a_listing_is_in_the_order_of_key_bytes(self, bucket: Bucket) -> None:
        keys = ["a", "a-b", "b/a", "b-/a", "b/a-1/x", "b/a/x", "b0", "B", "é", "b/é", "b/ü/z", "b/z", "01", "0/1"]
        for key in [key for key in keys if key != "b/a"]:
            bucket.put(key, key.encode())
        expected = sorted((key for key in keys if key != "b/a"), key=str.encode)
        assert [info.key for info in bucket.list("")] == expected
        for prefix in ["", "b", "b/", "b/a", "b/a/", "zz", "é"]:
            for after in ["", *keys, "b/", "b/a/", "b/zz", "~"]:
                found = [info.key for info in bucket.list(prefix, after)]
                assert found == [k for k in expected if k.startswith(prefix) and k.encode() > after.encode()]
        assert {info.key: info.size for info in bucket.list("")} == {k: len(k.encode()) for k in expected}

    def test_a_listing_and_stat_say_the_same(self, bucket: Bucket) -> None:
        bucket.put("a/b", b"123")
        (info,) = bucket.list("a/")
        assert info == bucket.stat("a/b")
        assert info.key == "a/b"

    def test_directories_are_those_with_objects_below(self, bucket: Bucket) -> None:
        for key in ["x/1", "x/y/2", "x/y/z/3", "w", "x-/4", "v/deep/er/5"]:
            bucket.put(key, b"")
        assert list(bucket.list_dirs("")) == ["v", "x-", "x"]
        assert list(bucket.list_dirs("x/")) == ["y"]
        assert list(bucket.list_dirs("v/")) == ["deep"]
        assert list(bucket.list_dirs("none/")) == []
        bucket.delete("v/deep/er/5")
        assert list(bucket.list_dirs("")) == ["x-", "x"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_a_key_that_could_escape_is_refused(self, bucket: Bucket, key: str, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.touch()
        for call in (bucket.get, bucket.stat, bucket.delete, bucket.local_path):
            with pytest.raises(InvalidKey):
                call(key)
        for write in (bucket.put, bucket.create):
            with pytest.raises(InvalidKey):
                write(key, b"")
        with pytest.raises(InvalidKey):
            bucket.put_file(key, source)
        with pytest.raises(InvalidKey):
            bucket.replace(key, b"", "v")

    @pytest.mark.parametrize("prefix", ["/", "/etc", "../", "a/../../", "a//"])
    def test_a_prefix_that_could_escape_is_refused(self, bucket: Bucket, prefix: str) -> None:
        with pytest.raises(InvalidKey):
            list(bucket.list(prefix))
        with pytest.raises(InvalidKey):
            list(bucket.list_dirs(prefix))

    def test_a_local_path_holds_the_bytes(self, bucket: Bucket) -> None:
        bucket.put("a/b", b"bytes")
        path = bucket.local_path("a/b")
        assert path is None or path.read_bytes() == b"bytes"

    def test_a_reader_never_sees_half_an_object(self, bucket: Bucket) -> None:
        sizes = [10, 200_000]
        bucket.put("k", b"0" * sizes[0])
        stop = threading.Event()

        def write(_: int) -> None:
            for number in range(20):
                bucket.put("k", str(number % 10).encode() * sizes[number % 2])
            stop.set()

        seen: list[bytes] = []
        writer = threading.Thread(target=write, args=(0,))
        writer.start()
        while not stop.is_set():
            seen.append(bucket.get("k"))
        writer.join()
        assert all(len(data) in sizes and len(set(data)) == 1 for data in seen)

    def test_close_may_be_called_twice(self, bucket: Bucket) -> None:
        bucket.close()
        bucket.close()
