"""A tenant's shard is data layout: it must never change, and must move little when a topic grows."""

from array import array

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.messages import Label, Sample, TimeSeries, WriteRequest
from wire.hashing import jump_hash, murmur3_x64_128, shard_of, tenant_seed
from wire.write_request import Router

GOLDEN = {
    (b"team-a", 4, 64): [10, 44, 12, 9],
    (b"team-b", 4, 64): [24, 47, 7, 27],
    (b"default-tenant", 3, 12): [8, 1, 7],
    (b"x" * 150, 8, 1000): [795, 998, 69, 950, 790, 252, 51, 476],
}


def slow_shard(tenant: bytes, size: int, partitions: int) -> list[int]:
    """As docs/decisions/0017-shuffle-sharding.md has it, on an independent murmur3."""
    slots = list(range(min(size, partitions)))
    for partition in range(size, partitions):
        low, _ = mmh3.hash64(tenant, partition, x64arch=True, signed=False)
        if (slot := low % (partition + 1)) < size:
            slots[slot] = partition
    return slots


@pytest.mark.parametrize(("tenant", "size", "partitions"), GOLDEN)
def test_shards_are_what_they_have_always_been(tenant: bytes, size: int, partitions: int) -> None:
    assert list(shard_of(tenant, size, partitions)) == GOLDEN[tenant, size, partitions]


@given(st.binary(min_size=1, max_size=150), st.integers(1, 40), st.integers(1, 300))
def test_a_shard_is_the_pages(tenant: bytes, size: int, partitions: int) -> None:
    shard = list(shard_of(tenant, size, partitions))
    assert shard == slow_shard(tenant, size, partitions)
    assert len(set(shard)) == min(size, partitions)
    assert set(shard) <= set(range(partitions))


@given(st.binary(min_size=1, max_size=20), st.integers(1, 300), st.integers(0, 300))
def test_a_shard_that_needs_them_all_has_them_in_order(tenant: bytes, partitions: int, more: int) -> None:
    assert list(shard_of(tenant, partitions + more, partitions)) == list(range(partitions))


@given(st.binary(min_size=1, max_size=20), st.integers(1, 20), st.integers(1, 100), st.integers(0, 100))
def test_growth_gives_slots_to_new_partitions_only(tenant: bytes, size: int, partitions: int, more: int) -> None:
    before, after = shard_of(tenant, size, partitions), shard_of(tenant, size, partitions + more)
    assert all(new == old or new >= partitions for old, new in zip(before, after, strict=False))


@given(st.binary(min_size=1, max_size=20), st.integers(1, 20), st.integers(1, 100))
def test_a_larger_shard_keeps_all_slots_but_one(tenant: bytes, size: int, partitions: int) -> None:
    smaller, larger = shard_of(tenant, size, partitions), shard_of(tenant, size + 1, partitions)
    assert sum(old != new for old, new in zip(smaller, larger, strict=False)) <= 1


def place(shard: list[int], key: int) -> int:
    return shard[jump_hash(key, len(shard))]


def test_a_topic_that_grows_moves_the_share_that_must_move() -> None:
    keys = [murmur3_x64_128(str(n).encode())[0] for n in range(200)]
    moved = total = 0
    for tenant in (f"tenant-{n}".encode() for n in range(300)):
        before, after = list(shard_of(tenant, 8, 64)), list(shard_of(tenant, 8, 80))
        moves = [(place(before, key), place(after, key)) for key in keys]
        assert all(new == old or new >= 64 for old, new in moves)
        moved += sum(new != old for old, new in moves)
        total += len(moves)
    assert 0.17 < moved / total < 0.23  # 16 of 80 partitions are new


def test_tenants_load_every_partition_alike() -> None:
    taken = [0] * 48
    for tenant in (f"tenant-{n}".encode() for n in range(6000)):
        for partition in shard_of(tenant, 4, 48):
            taken[partition] += 1
    assert 400 < min(taken) <= max(taken) < 600  # 500 each, standard deviation 21


@pytest.mark.parametrize(("size", "partitions"), [(0, 4), (4, 0), (-1, 4)])
def test_a_shard_of_nothing_is_refused(size: int, partitions: int) -> None:
    with pytest.raises(ValueError, match="no shard"):
        shard_of(b"team-a", size, partitions)


def request(count: int) -> bytes:
    """`count` series, some of which are not canonical."""
    labels = [[Label(name=b"__name__", value=b"up"), Label(name=b"n", value=str(n).encode())] for n in range(count)]
    series = [
        TimeSeries(labels=pairs if n % 3 else pairs[::-1], samples=[Sample(timestamp=5)])
        for n, pairs in enumerate(labels)
    ]
    encoded: bytes = WriteRequest(timeseries=series).SerializeToString()
    return encoded


def test_series_lie_in_their_slots_partition() -> None:
    seed, shard = tenant_seed(b"team-a"), shard_of(b"team-a", 4, 64)
    routed = Router(64).route(request(300), seed, 0, 10, shard=shard)
    over_slots = Router(4).route(request(300), seed, 0, 10)
    assert sorted(routed.records) == sorted((shard[slot], value) for slot, value in over_slots.records)


def test_a_shard_of_all_partitions_changes_nothing() -> None:
    seed = tenant_seed(b"team-a")
    everywhere = Router(8).route(request(100), seed, 0, 10, shard=shard_of(b"team-a", 8, 8))
    assert everywhere == Router(8).route(request(100), seed, 0, 10)


@pytest.mark.parametrize("shard", [[], [4], [-1], [0, 1, 2, 3, 0]])
def test_what_is_no_shard_of_these_partitions_is_refused(shard: list[int]) -> None:
    with pytest.raises(ValueError, match="no shard of 4 partitions"):
        Router(4).route(request(1), 0, 0, 10, shard=array("i", shard))
