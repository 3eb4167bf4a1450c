import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.hashing import jump_hash, murmur3_x64_128, murmur3_x86_32, tenant_seed

seeds = st.integers(0, 2**32 - 1)


def slow_jump(key: int, buckets: int) -> int:
    """As printed in the paper."""
    chosen, following = -1, 0
    while following < buckets:
        chosen = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int(float(chosen + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return chosen


@given(st.binary(max_size=200), seeds)
def test_the_128_bit_hash_is_mmh3s(data: bytes, seed: int) -> None:
    assert murmur3_x64_128(data, seed) == mmh3.hash64(data, seed, x64arch=True, signed=False)


@given(st.binary(max_size=64), seeds)
def test_the_32_bit_hash_is_mmh3s(data: bytes, seed: int) -> None:
    assert murmur3_x86_32(data, seed) == mmh3.hash(data, seed, signed=False)


def test_every_tail_length_is_hashed_as_mmh3_does() -> None:
    data = bytes(range(200, 256))
    for size in range(len(data)):
        assert murmur3_x64_128(data[:size], 7) == mmh3.hash64(data[:size], 7, signed=False)
        assert murmur3_x86_32(data[:size], 7) == mmh3.hash(data[:size], 7, signed=False)


def test_a_tenants_seed_is_the_hash_of_its_name() -> None:
    assert tenant_seed(b"team-a") == mmh3.hash(b"team-a", 0, signed=False)


@given(st.integers(0, 2**64 - 1), st.integers(1, 5000))
def test_jump_hash_is_the_papers(key: int, buckets: int) -> None:
    assert jump_hash(key, buckets) == slow_jump(key, buckets)


def test_growing_moves_only_the_share_that_must_move() -> None:
    keys = [murmur3_x64_128(str(n).encode())[0] for n in range(4000)]
    moved = [(jump_hash(key, 16), jump_hash(key, 20)) for key in keys]
    assert all(new == old or new >= 16 for old, new in moved)
    assert 0.15 < sum(new != old for old, new in moved) / len(keys) < 0.25


def test_no_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="no bucket"):
        jump_hash(1, 0)
