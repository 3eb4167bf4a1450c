"""XOR chunks against a coder that works bit by bit, and against bytes known to be Prometheus' own."""

import struct
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tsdb.chunk_oracle import STALE, decode_xor, encode_xor
from tsdb.chunks import decode_floats, encode_floats, sample_count
from tsdb.errors import CorruptChunk

T0 = 1700006400000
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def bits_of(value: float) -> int:
    return int(struct.unpack(">Q", struct.pack(">d", value))[0])


VALUES = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.floats().map(bits_of),
    st.integers(0, 1000).map(float).map(bits_of),
    st.sampled_from([STALE, 0x7FF8000000000001, 0xFFF8000000000000, 0x8000000000000000, 0, 0x7FF0000000000000, 1]),
)
DELTAS = st.one_of(
    st.just(15000),
    st.integers(1, 40000),
    st.sampled_from([1, 8191, 8192, 8193, 65535, 65536, 65537, 524287, 524288, 524289, 1 << 40, (1 << 63) - 1]),
)


@st.composite
def samples(draw: st.DrawFn, max_size: int = 130) -> list[tuple[int, int]]:
    times = [draw(st.one_of(st.just(T0), INT64))]
    for delta in draw(st.lists(DELTAS, max_size=max_size)):
        if times[-1] + delta < 1 << 63:
            times.append(times[-1] + delta)
    values = draw(st.lists(VALUES, min_size=len(times), max_size=len(times)))
    return list(zip(times, values, strict=True))


def encoded(run: list[tuple[int, int]]) -> list[bytes]:
    return [c.data for c in encode_floats(array("q", [t for t, _ in run]), array("Q", [v for _, v in run]))]


def decoded(data: bytes) -> list[tuple[int, int]]:
    return list(zip(*decode_floats(data), strict=True))


@pytest.mark.parametrize(
    ("run", "data"),
    [
        (
            [(T0, 1.0), (T0 + 15000, 2.0), (T0 + 30001, 2.5)],
            "00 03 80 c0 b8 84 fa 62 3f f0 00 00 00 00 00 00 98 75 c2 5f ff 80 01 da 0c",
        ),
        ([(T0, 1.0)], "00 01 80 c0 b8 84 fa 62 3f f0 00 00 00 00 00 00"),
        ([(99, 4.0), (199, 3.0), (250, 1.0)], "00 03 c6 01 40 10 00 00 00 00 00 00 64 d6 17 7f 9f 84 cf ff"),
        ([(99, 7.0), (199, 17.0), (250, 1.0)], "00 03 c6 01 40 1c 00 00 00 00 00 00 64 d4 35 b7 f9 f8 4f ff 82"),
        ([(99, 3.0), (199, 10.0), (250, 1.0)], "00 03 c6 01 40 08 00 00 00 00 00 00 64 d4 25 df e7 e1 37 fe a0"),
    ],
)
def test_bytes_are_those_of_prometheus(run: list[tuple[int, float]], data: str) -> None:
    patterns = [(t, bits_of(v)) for t, v in run]
    assert [chunk.hex(" ") for chunk in encoded(patterns)] == [data]
    assert decoded(bytes.fromhex(data)) == patterns
    assert encode_xor(patterns).hex(" ") == data


def test_a_stale_marker_keeps_its_bits() -> None:
    data = "00 02 80 c0 b8 84 fa 62 3f f0 00 00 00 00 00 00 98 75 c3 f4 00 00 00 00 00 00 00 20"
    run = [(T0, bits_of(1.0)), (T0 + 15000, STALE)]
    assert encoded(run) == [bytes.fromhex(data)]
    assert decoded(bytes.fromhex(data)) == run


@settings(max_examples=200, deadline=None)
@given(samples())
def test_chunks_equal_the_oracles_bit_for_bit(run: list[tuple[int, int]]) -> None:
    parts = [run[i : i + 120] for i in range(0, len(run), 120)]
    chunks = encode_floats(array("q", [t for t, _ in run]), array("Q", [v for _, v in run]))
    assert [c.data for c in chunks] == [encode_xor(part) for part in parts]
    assert [(c.encoding, c.mint, c.maxt) for c in chunks] == [(1, part[0][0], part[-1][0]) for part in parts]
    assert [decoded(c.data) for c in chunks] == parts
    assert [decode_xor(c.data) for c in chunks] == parts
    assert [sample_count(c.data) for c in chunks] == [len(part) for part in parts]


def test_the_ends_of_int64_are_times_too() -> None:
    run = [(-(1 << 63), 1), (-1, 2), (0, 3), ((1 << 63) - 1, 4)]
    assert encoded(run) == [encode_xor(run)]
    assert decoded(encode_xor(run)) == run
    assert decoded(encode_xor([run[0], run[-1]])) == [run[0], run[-1]]


@settings(max_examples=50, deadline=None)
@given(samples(max_size=20), st.data())
def test_truncation_anywhere_is_seen(run: list[tuple[int, int]], data: st.DataObject) -> None:
    chunk = encode_xor(run)
    for size in range(len(chunk)):
        with pytest.raises(CorruptChunk):
            decode_floats(chunk[:size])


@settings(max_examples=150, deadline=None)
@given(samples(max_size=20), st.data())
def test_flipped_bits_decode_to_something_or_are_refused(run: list[tuple[int, int]], data: st.DataObject) -> None:
    chunk = bytearray(encode_xor(run))
    for bit in data.draw(st.lists(st.integers(0, len(chunk) * 8 - 1), min_size=1, max_size=4)):
        chunk[bit // 8] ^= 1 << bit % 8
    try:
        times, values = decode_floats(chunk)
    except CorruptChunk:
        return
    assert len(times) == len(values) == sample_count(chunk)
    assert all(a <= b for a, b in pairwise(times))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_or_decoded_within_its_bytes(data: bytes) -> None:
    try:
        times, _ = decode_floats(data)
    except CorruptChunk:
        return
    assert len(times) == sample_count(data)


def test_a_count_beyond_the_bytes_is_refused() -> None:
    with pytest.raises(CorruptChunk, match=r"damaged chunk: encoding=1 bytes=13"):
        decode_floats(b"\xff\xff" + encode_xor([(0, 0), (1, 0)])[2:])


def test_a_chunk_that_goes_back_in_time_is_refused() -> None:
    with pytest.raises(CorruptChunk):
        decode_floats(encode_xor([(10, 0), (5 + (1 << 64), 0)]))


def test_no_header_no_count() -> None:
    for data in (b"", b"\0"):
        with pytest.raises(CorruptChunk, match="without a header"):
            sample_count(data)
    assert decoded(b"\0\0") == []


def test_unsorted_times_and_unequal_columns_are_the_callers_error() -> None:
    with pytest.raises(ValueError, match="times do not ascend: index=2 before=2 time=2"):
        encode_floats(array("q", [1, 2, 2]), array("Q", [0, 0, 0]))
    with pytest.raises(ValueError, match="not a value for each time"):
        encode_floats(array("q", [1]), array("Q"))
    assert encode_floats(array("q"), array("Q")) == []
