import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsdb import ulid

times = st.integers(0, (1 << 48) - 1)
entropies = st.binary(min_size=10, max_size=10)


def test_the_example_of_the_specification() -> None:
    assert ulid.encode(1469918176385, bytes(10)) == "01ARYZ6S41" + "0" * 16
    assert ulid.parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ") == ((1 << 48) - 1, b"\xff" * 10)


@given(times, entropies)
def test_what_was_encoded_parses(time_ms: int, entropy: bytes) -> None:
    assert ulid.parse(ulid.encode(time_ms, entropy)) == (time_ms, entropy)


@given(st.tuples(times, entropies), st.tuples(times, entropies))
def test_text_orders_as_time_and_entropy(a: tuple[int, bytes], b: tuple[int, bytes]) -> None:
    assert (ulid.encode(*a) < ulid.encode(*b)) == (a < b)


@pytest.mark.parametrize(
    "text",
    ["", "0" * 25, "0" * 27, "8" + "0" * 25, "01ARYZ6S41TSV4RRFFQ69G5FAI", "01aryz6s41tsv4rrffq69g5fav", "é" * 26],
)
def test_other_texts_are_refused(text: str) -> None:
    assert not ulid.is_ulid(text)
    with pytest.raises(ValueError, match="not a ulid"):
        ulid.parse(text)


@pytest.mark.parametrize(("time_ms", "entropy"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9)), (0, bytes(11))])
def test_what_does_not_fit_is_refused(time_ms: int, entropy: bytes) -> None:
    with pytest.raises(ValueError, match="ulid"):
        ulid.encode(time_ms, entropy)
