from pathlib import Path

import pytest

from bucket.bucket import Bucket
from bucket.filesystem import FilesystemBucket
from bucket.memory import MemoryBucket
from bucket.prefixed import PrefixedBucket
from tests.bucket.contract import BucketContract


class TestPrefixedMemoryBucket(BucketContract):
    @pytest.fixture
    def bucket(self) -> Bucket:
        inner = MemoryBucket()
        inner.put("b", b"beside")
        inner.put("b/cc/beside", b"beside")
        inner.put("zz", b"beside")
        return PrefixedBucket(inner, "b/c")


class TestPrefixedFilesystemBucket(BucketContract):
    @pytest.fixture
    def bucket(self, tmp_path: Path) -> Bucket:
        return PrefixedBucket(FilesystemBucket(tmp_path / "bucket"), "team/metrics")


def test_keys_lie_below_the_prefix() -> None:
    inner = MemoryBucket()
    PrefixedBucket(inner, "team/metrics").put("a/b", b"")
    assert [info.key for info in inner.list("")] == ["team/metrics/a/b"]
