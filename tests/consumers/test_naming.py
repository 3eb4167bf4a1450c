import hashlib

from hypothesis import given
from hypothesis import strategies as st

from consumers.naming import BlockIdentity
from tsdb import ulid

IDENTITY = BlockIdentity("log", 3, 10, 20, "tenant", -7_200_000, "ab")


def test_the_digest_is_over_lengths_text_and_numbers_in_order() -> None:
    encoded = bytes.fromhex(
        "00000003" + b"log".hex() + "0000000000000003" + "000000000000000a" + "0000000000000014"
        "00000006" + b"tenant".hex() + "ffffffffff922300" + "00000002" + b"ab".hex()
    )
    assert IDENTITY.digest() == hashlib.sha256(encoded).digest()


def test_the_name_is_the_last_append_time_and_80_bits_of_the_digest() -> None:
    assert ulid.parse(IDENTITY.ulid(1_700_006_400_123)) == (1_700_006_400_123, IDENTITY.digest()[:10])


_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
_IDENTITIES = st.builds(BlockIdentity, st.text(), _NUMBERS, _NUMBERS, _NUMBERS, st.text(), _NUMBERS, st.text())


@given(_IDENTITIES, _IDENTITIES)
def test_different_things_have_different_names(one: BlockIdentity, other: BlockIdentity) -> None:
    assert (one == other) is (one.digest() == other.digest())


def test_text_cannot_move_from_one_field_to_the_next() -> None:
    assert IDENTITY._replace(log_id="lo").digest() != IDENTITY.digest()
    assert IDENTITY._replace(tenant="tenantab", recipe_digest="").digest() != IDENTITY.digest()
