import hashlib

from hypothesis import given
from hypothesis import strategies as st

from compactor.naming import CompactionIdentity
from tsdb import ulid

A, B = ulid.encode(5, bytes(10)), ulid.encode(7, bytes(10))
IDENTITY = CompactionIdentity("t", -7_200_000, (("cluster", "eu1"),), (B, A), 1 << 20)


def test_the_digest_is_over_lengths_text_and_numbers_in_order() -> None:
    encoded = bytes.fromhex(
        "0000000a" + b"compaction".hex() + "0000000000000001" + "00000001" + b"t".hex() + "ffffffffff922300"
        "0000000000000001" + "00000007" + b"cluster".hex() + "00000003" + b"eu1".hex() + "0000000000000002"
        "0000001a" + B.encode().hex() + "0000001a" + A.encode().hex() + "0000000000100000"
    )
    assert IDENTITY.digest() == hashlib.sha256(encoded).digest()


def test_the_name_is_the_newest_time_and_80_bits_of_the_digest() -> None:
    assert ulid.parse(IDENTITY.ulid()) == (7, IDENTITY.digest()[:10])


_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
_IDENTITIES = st.builds(
    CompactionIdentity,
    st.text(max_size=3),
    _NUMBERS,
    st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=2).map(tuple),
    st.lists(st.text(max_size=2), max_size=3).map(tuple),
    _NUMBERS,
)


@given(_IDENTITIES, _IDENTITIES)
def test_different_things_have_different_names(one: CompactionIdentity, other: CompactionIdentity) -> None:
    assert (one == other) is (one.digest() == other.digest())


def test_the_order_of_sources_counts() -> None:
    assert IDENTITY._replace(sources=(A, B)).digest() != IDENTITY.digest()
