import msgspec
import pytest
from prometheus_client import CollectorRegistry

from broker.log import Record
from broker.record import Replica, new_headers
from bucket.manifest import Followed, FollowedReplicas, HaRecipe
from consumers.metrics import ConsumerMetrics
from consumers.partition import Partition
from consumers.retry import Backoff
from consumers.sealing import Sealing
from consumers.segment import open_segment
from tests.bucket.manifests import RECIPE, make_manifest
from tests.consumers.rehearsal import START, one


@pytest.fixture
def partition() -> Partition:
    return Partition(
        0, lambda number, start, followed: open_segment("log", number, start, RECIPE, followed), Sealing, Backoff(1, 1)
    )


def take(partition: Partition, append_time: int) -> None:
    value = one(append_time)
    assert partition.take(Record(0, partition.position, append_time, b"tenant", value, new_headers()))


def test_lag_is_as_old_as_the_last_record_taken(partition: Partition) -> None:
    partition.locate(None, 2)
    assert partition.status().lag == 2
    assert partition.status().lag_seconds(START) == 0  # nobody knows
    take(partition, START)
    assert partition.status().lag_seconds(START + 3000) == 3
    assert partition.status().lag_seconds(START - 3000) == 0  # clocks disagree
    take(partition, START + 1)
    assert partition.status().lag_seconds(START + 3000) == 0  # nothing newer is known


def test_behind_a_manifest_lag_is_as_old_as_its_last_record(partition: Partition) -> None:
    last = make_manifest(0, 4)
    partition.locate(last, last.end + 1)
    assert partition.status().lag_seconds(last.last_append_time + 5000) == 5
    metrics = ConsumerMetrics(registry := CollectorRegistry())
    metrics.observe([partition.status()], last.last_append_time + 5000)
    assert registry.get_sample_value("forebay_consumer_lag_seconds", {"partition": "0"}) == 5
    metrics.forget(0)
    assert registry.get_sample_value("forebay_consumer_lag_seconds", {"partition": "0"}) is None


@pytest.mark.parametrize("replica", ["a", "b"])
def test_an_adopted_manifest_that_followed_another_replica_takes_the_open_segment_along(replica: str) -> None:
    recipe = msgspec.structs.replace(RECIPE, ha=HaRecipe(failover_timeout=10_000_000, max_clusters=1))
    partition = Partition(
        0, lambda number, start, followed: open_segment("log", number, start, recipe, followed), Sealing, Backoff(1, 1)
    )
    partition.locate(None, 2)
    for at in (START, START + RECIPE.segment_interval):
        headers = new_headers(Replica("eu", "a"))
        assert partition.take(Record(0, partition.position, at, b"tenant", one(at), headers))
    followed = (Followed("tenant", "eu", replica, START),)
    partition.settle(msgspec.structs.replace(make_manifest(0, 1), followed=FollowedReplicas((), followed)))
    ours = replica == "a"
    assert (partition.open is not None, partition.adrift, partition.position) == (ours, not ours, 2 if ours else 1)
    at = START + RECIPE.segment_interval
    again = Record(0, partition.position, at, b"tenant", one(at), new_headers(Replica("eu", "b")))
    assert partition.take(again)
    assert partition.open is not None
    assert partition.open.followed_before == followed
    assert partition.open.heads["tenant"].counts.deduplicated == ours
