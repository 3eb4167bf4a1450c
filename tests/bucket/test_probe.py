from pathlib import Path

import pytest

from bucket.bucket import Bucket, BucketMisconfigured, PreconditionFailed
from bucket.filesystem import FilesystemBucket
from bucket.memory import MemoryBucket
from bucket.probe import ConditionalWrites, probe_conditional_writes


class Careless(MemoryBucket):
    """A store that ignores conditions in silence."""

    def create(self, key: str, data: bytes) -> None:
        self.put(key, data)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self.put(key, data)


class Forgetful(MemoryBucket):
    """The answers to first writes are lost on their way, and whoever sends them again is refused."""

    def create(self, key: str, data: bytes) -> None:
        super().create(key, data)
        raise PreconditionFailed(key)

    def replace(self, key: str, data: bytes, version: str) -> None:
        super().replace(key, data, version)
        raise PreconditionFailed(key)


def test_our_own_buckets_keep_their_promises(tmp_path: Path) -> None:
    for bucket in (MemoryBucket(), FilesystemBucket(tmp_path)):
        assert probe_conditional_writes(bucket) == ConditionalWrites(create=True, replace=True)


def test_a_lost_answer_is_no_refusal() -> None:
    assert probe_conditional_writes(Forgetful()) == ConditionalWrites(create=True, replace=True)


def test_a_store_that_ignores_conditions_is_seen() -> None:
    assert probe_conditional_writes(Careless()) == ConditionalWrites(create=False, replace=False)


@pytest.mark.parametrize("bucket", [MemoryBucket(), Careless()])
def test_a_probe_leaves_nothing(bucket: Bucket) -> None:
    probe_conditional_writes(bucket)
    assert list(bucket.list("")) == []


def test_a_place_that_cannot_be_written_shows(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BucketMisconfigured):
        probe_conditional_writes(FilesystemBucket(tmp_path / "file"))
