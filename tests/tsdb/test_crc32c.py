from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsdb.crc32c import crc32c, crc32c_portable


def bit_by_bit(data: bytes) -> int:
    """The definition: polynomial division, one bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("kernel", [crc32c, crc32c_portable])
@pytest.mark.parametrize(("data", "expected"), [(b"", 0), (b"123456789", 0xE3069283), (b"\0" * 32, 0x8A9136AA)])
def test_known_values(kernel: Callable[[bytes], int], data: bytes, expected: int) -> None:
    assert kernel(data) == expected


@given(st.binary(max_size=100), st.integers(0, 100))
def test_both_kernels_agree_with_the_definition_whole_and_in_two_parts(data: bytes, cut: int) -> None:
    expected = bit_by_bit(data)
    for kernel in (crc32c, crc32c_portable):
        assert kernel(data) == expected
        assert kernel(memoryview(data)[cut:], kernel(memoryview(data)[:cut])) == expected
