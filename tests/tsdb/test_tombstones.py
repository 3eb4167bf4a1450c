from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsdb.crc32c import crc32c
from tsdb.errors import CorruptBlock
from tsdb.tombstones import decode, encode, merge_intervals

times = st.integers(-(1 << 63), (1 << 63) - 1)
intervals = st.lists(st.tuples(times, times).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=5)
small = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(0, 5)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=6
)


def test_the_empty_file_is_nine_bytes() -> None:
    assert encode({}) == bytes.fromhex("0130ba300100000000")
    assert decode(encode({})) == {}


def test_a_record_is_id_and_two_zigzag_times() -> None:
    assert encode({300: [(-1, 1)]})[5:-4] == bytes.fromhex("ac020102")


@given(st.dictionaries(st.integers(0, (1 << 32) - 1), intervals.map(merge_intervals), max_size=5))
def test_what_was_encoded_decodes(tombstones: dict[int, list[tuple[int, int]]]) -> None:
    assert decode(encode(tombstones)) == tombstones


@given(small)
def test_merged_intervals_cover_the_same_milliseconds_and_lie_apart(parts: list[tuple[int, int]]) -> None:
    merged = merge_intervals(parts)
    covered = {t for mint, maxt in parts for t in range(mint, maxt + 1)}
    assert {t for mint, maxt in merged for t in range(mint, maxt + 1)} == covered
    assert all(right[0] > left[1] + 1 for left, right in pairwise(merged))


@pytest.mark.parametrize("position", range(len(encode({300: [(-1, 1)]}))))
def test_any_changed_byte_is_found(position: int) -> None:
    data = bytearray(encode({300: [(-1, 1)]}))
    data[position] ^= 0x41
    with pytest.raises(CorruptBlock, match="tombstones"):
        decode(bytes(data))


@pytest.mark.parametrize("records", [b"\x80", b"\x01\x02", b"\xff" * 10 + b"\0\0", b"\x80" * 9 + b"\x02\0\0"])
def test_records_cut_short_or_over_64_bits_are_refused(records: bytes) -> None:
    with pytest.raises(CorruptBlock, match="broken number"):
        decode(encode({})[:5] + records + crc32c(records).to_bytes(4))


def test_a_reversed_interval_is_refused() -> None:
    with pytest.raises(CorruptBlock, match="reversed"):
        decode(encode({1: [(5, 4)]}))
