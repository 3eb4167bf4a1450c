import tracemalloc

import pytest
import snappy as python_snappy
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import InvalidData
from tests.wire.labels_oracle import varint
from wire.snappy import BodyTooLarge, compress, decompress

LIMIT = 1 << 20


@given(st.binary(max_size=2000) | st.binary(min_size=1, max_size=3).map(lambda part: part * 5000))
def test_both_ways_agree_with_python_snappy(message: bytes) -> None:
    assert decompress(python_snappy.compress(message), LIMIT) == message
    assert python_snappy.decompress(compress(message)) == message


def test_the_limit_is_on_the_declared_length() -> None:
    assert decompress(compress(bytes(LIMIT)), LIMIT) == bytes(LIMIT)
    with pytest.raises(BodyTooLarge, match=f"decompressed_bytes={LIMIT + 1} limit={LIMIT}"):
        decompress(compress(bytes(LIMIT + 1)), LIMIT)


def test_the_message_is_not_copied() -> None:
    assert not isinstance(decompress(compress(bytes(LIMIT)), LIMIT).obj, bytes)


def test_a_lying_length_allocates_nothing() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidData, match="lies about its length"):
            decompress(varint(2**32 - 1) + b"\x00a", 2**40)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_densest_body_is_not_taken_for_a_lie() -> None:
    body = varint(1 + 64 * 1000) + b"\x00a" + b"\xfe\x01\x00" * 1000
    assert decompress(body, LIMIT) == b"a" * 64001


def test_the_framed_format_is_named() -> None:
    with pytest.raises(InvalidData, match="framed snappy where the block format is needed"):
        decompress(python_snappy.StreamCompressor().compress(b"message"), LIMIT)


@pytest.mark.parametrize("body", [b"", b"\xff" * 11, b"garbage that is no snappy", b"\x05\x10abc", varint(2**33)])
def test_garbage_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidData):
        decompress(body, LIMIT)


@given(st.binary(min_size=20, max_size=300), st.data())
def test_a_truncated_body_is_invalid(message: bytes, data: st.DataObject) -> None:
    body = compress(message)
    with pytest.raises(InvalidData):
        decompress(body[: data.draw(st.integers(0, len(body) - 1))], LIMIT)
