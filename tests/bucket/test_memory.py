import pytest

from bucket.bucket import Bucket
from bucket.memory import MemoryBucket
from forebay.clock import ManualClock
from tests.bucket.contract import BucketContract


class TestMemoryBucket(BucketContract):
    @pytest.fixture
    def bucket(self) -> Bucket:
        return MemoryBucket()


def test_the_clock_dates_the_objects(clock: ManualClock) -> None:
    bucket = MemoryBucket(clock)
    bucket.put("k", b"")
    then = clock.now_ms()
    clock.advance(60)
    assert bucket.stat("k").modified_ms == then
