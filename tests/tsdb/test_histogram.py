"""Histogram chunks against a coder that works bit by bit, and against bytes known to be Prometheus' own."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tsdb.chunk_oracle import (
    STALE,
    decode_histogram_chunk,
    encode_histogram_chunk,
    indices_of,
    packed,
    spans_of,
    uvarbit,
    varbit,
)
from tsdb.chunk import Chunk
from tsdb.chunks import decode_histograms, encode_histograms
from tsdb.errors import CorruptChunk
from tsdb.native_histogram import HINT_GAUGE, HINT_NOT_RESET, HINT_RESET, HINT_UNKNOWN, Histogram

T0 = 1700006400000


def bits_of(value: float) -> int:
    return int(struct.unpack(">Q", struct.pack(">d", value))[0])


def histogram(
    t: int,
    positive: dict[int, int],
    negative: dict[int, int] | None = None,
    *,
    is_float: bool = False,
    schema: int = 1,
    threshold: float = 2.0**-128,
    zero: int = 0,
    total: float = 1.5,
    hint: int = HINT_UNKNOWN,
    custom: tuple[float, ...] = (),
) -> Histogram:
    """A sample by absolute counts of buckets."""
    sides = (positive, negative or {})
    count = zero + sum(positive.values()) + sum((negative or {}).values())
    buckets = []
    for side in sides:
        values = [side[i] for i in sorted(side)]
        if is_float:
            buckets.append(tuple(bits_of(v) for v in values))
        else:
            buckets.append(tuple(b - a for a, b in pairwise([0, *values])))
    return Histogram(
        t, is_float, schema, threshold, bits_of(total),
        bits_of(count) if is_float else count, bits_of(zero) if is_float else zero, hint,
        tuple(spans_of(set(sides[0]))), tuple(spans_of(set(sides[1]))), buckets[0], buckets[1], custom,
    )  # fmt: skip


def stale(t: int, *, is_float: bool = False, hint: int = HINT_UNKNOWN) -> Histogram:
    return Histogram(t, is_float, 0, 0.0, STALE, 0, 0, hint, (), (), (), (), ())


def decoded(chunks: list[Chunk]) -> list[Histogram]:
    return [sample for chunk in chunks for sample in decode_histograms(chunk.encoding, chunk.data)]


def headers(chunks: list[Chunk]) -> list[tuple[int, int]]:
    """Samples and the counter-reset bits of each chunk."""
    return [(chunk.data[0] << 8 | chunk.data[1], chunk.data[2] >> 6) for chunk in chunks]


COUNTER = [
    Histogram(
        T0 + 15000 * i, False, 1, 2.0**-128, bits_of(total), count, zero, 0, ((0, 2), (1, 1)), (), buckets, (), ()
    )
    for i, (count, zero, total, buckets) in enumerate(
        [(6, 1, 5.0, (2, -1, 1)), (10, 2, 9.5, (3, -1, 1)), (13, 2, 12.0, (4, -1, 1))]
    )
]
FLOATS = [
    histogram(T0, {0: 2, 1: 1, 3: 2}, is_float=True, zero=1, total=5.0),
    histogram(T0 + 15000, {0: 3, 1: 2, 3: 3}, is_float=True, zero=2, total=9.5),
]
CUSTOM = [histogram(T0, {0: 1, 1: 2, 2: 2}, schema=-53, threshold=0.0, total=7.5, custom=(0.5, 1.0, 2.5))]


@pytest.mark.parametrize(
    ("samples", "encoding", "data"),
    [
        (
            COUNTER,
            2,
            "000300748ca48c5fc000317a08e200168a00a0000000000004af1f83a98a4750dbc45ef160",
        ),
        (
            CUSTOM,
            2,
            "00010000ee5c664fbebe3e9f4e2ff0000c5e823880054803c000000000001188",
        ),
        (
            FLOATS,
            3,
            (
                "000200748ca48c5fc000317a08e200080300000000000007fe0000000000000802800000000000080000000000000007"
                "fe00000000000008000000000000001f07531a84fc25fffd436fb01e12fffec060"
            ),
        ),
    ],
)
def test_bytes_are_those_of_prometheus(samples: list[Histogram], encoding: int, data: str) -> None:
    chunks = encode_histograms(samples)
    assert [(c.encoding, c.data.hex()) for c in chunks] == [(encoding, data)]
    assert encode_histogram_chunk(samples, 0).hex() == data
    back = decode_histograms(encoding, bytes.fromhex(data))
    assert all(a.same_value(b) for a, b in zip(samples, back, strict=True))
    assert [s.reset_hint for s in back] == [HINT_UNKNOWN, *[HINT_NOT_RESET] * (len(samples) - 1)]


def test_the_oracles_integers_are_those_of_prometheus() -> None:
    assert [varbit(v) for v in (1, -1, 4, 5, 33)] == ["10001", "10111", "10100", "110000101", "1110000100001"]
    assert [uvarbit(v) for v in (7, 8)] == ["10111", "110001000"]


INDICES = st.one_of(st.integers(-3, 12), st.integers(-400, 400), st.sampled_from([-(1 << 30), (1 << 30) - 1]))
COUNTS = st.one_of(st.integers(0, 5), st.integers(0, 1 << 40))


@st.composite
def runs(draw: st.DrawFn) -> list[Histogram]:  # noqa: C901 - one branch for each thing that may happen
    """A series that mostly grows, with all that makes a chunk end thrown in."""
    t = draw(st.one_of(st.just(T0), st.integers(-(1 << 62), 1 << 62)))
    sides: list[dict[int, int]] = [{}, {}]
    zero, total = 0, 0.0
    is_float, hint, schema, threshold = draw(st.booleans()), HINT_UNKNOWN, 3, 2.0**-128
    custom: tuple[float, ...] = ()
    out = []
    for _ in range(draw(st.integers(1, 40))):
        event = draw(st.integers(0, 40))
        if event == 0:
            is_float = not is_float
        elif event == 1:
            hint = draw(st.sampled_from([HINT_UNKNOWN, HINT_NOT_RESET, HINT_GAUGE]))
        elif event == 2:
            schema = draw(st.sampled_from([-9, -4, 0, 3, 8, 52, -53]))
            custom = tuple(draw(st.lists(st.floats(allow_nan=False), max_size=4))) if schema == -53 else ()
        elif event == 3:
            threshold = draw(st.sampled_from([0.0, -0.0, 2.0**-128, 1.0, 0.001, 2.0**-243, 2.0**-244, 1024.0, 2048.0]))
        elif event == 4:
            sides = [{}, {}]
            zero = 0
        elif event in (5, 6) and sides[0]:
            del sides[0][draw(st.sampled_from(sorted(sides[0])))]
        elif event == 7:
            t += draw(st.sampled_from([1, 8192, 1 << 35, 1 << 60]))
        t += draw(st.one_of(st.just(15000), st.integers(1, 30000)))
        if event == 8:
            out.append(stale(t, is_float=is_float, hint=hint))
            continue
        for side in sides:
            for index, more in draw(st.dictionaries(INDICES, COUNTS, max_size=3)).items():
                side[index] = side.get(index, 0) + more
        zero += draw(COUNTS)
        total = draw(st.one_of(st.just(total + 0.5), st.floats()))
        out.append(
            histogram(
                t, sides[0], sides[1], is_float=is_float, schema=schema, threshold=threshold, zero=zero, total=total,
                hint=HINT_RESET if event == 9 else hint, custom=custom,
            )
        )  # fmt: skip
    return out


def number(sample: Histogram, value: int) -> float:
    return float(struct.unpack(">d", struct.pack(">Q", value))[0]) if sample.is_float else value


def seam(a: Histogram, b: Histogram) -> str | int:  # noqa: PLR0911 - one return for each row of the table
    """What the table in docs/formats.md says of b after a: "join", or the bits of the chunk that b begins."""
    gauge = b.reset_hint == HINT_GAUGE
    if b.reset_hint == HINT_RESET:
        return 2
    if a.is_float != b.is_float or gauge != (a.reset_hint == HINT_GAUGE):
        return 3 if gauge else 0
    if b.is_stale:
        return "join"
    if a.is_stale:
        return 3 if gauge else 0
    if not gauge and number(b, b.count) < number(a, a.count):
        return 2
    if a.schema != b.schema or bits_of(a.zero_threshold) != bits_of(b.zero_threshold):
        return 3 if gauge else 0
    if [*map(bits_of, a.custom_values)] != [*map(bits_of, b.custom_values)]:
        return 3 if gauge else 2
    if gauge:
        return "join"
    fell = number(b, b.zero_count) < number(a, a.zero_count) or any(
        number(b, b.absolute(negative=negative).get(index, 0)) < number(a, value)
        for negative in (False, True)
        for index, value in a.absolute(negative=negative).items()
    )
    return 2 if fell else "join"


def buckets_of(samples: list[Histogram]) -> int:
    live = [s for s in samples if not s.is_stale]
    return len({i for s in live for i in indices_of(s.positive_spans)}) + len(
        {i for s in live for i in indices_of(s.negative_spans)}
    )


def full(before: list[Histogram], data: bytes, sample: Histogram) -> bool:
    if len(before) == 120 or len(data) >= 2048 or (len(data) >= 1024 and len(before) >= 10):
        return True
    wide = buckets_of([*before, sample])
    return wide > buckets_of(before) and wide * (len(before) + 1) > 2048 * 8


def check_chunks(samples: list[Histogram], chunks: list[Chunk]) -> None:
    """Every sample is there, each chunk is the oracle's bit for bit, and ends only where a rule says so."""
    at = 0
    previous: list[Histogram] = []
    previous_data = b""
    for chunk in chunks:
        part = samples[at : at + (chunk.data[0] << 8 | chunk.data[1])]
        assert (chunk.encoding, chunk.mint, chunk.maxt) == (3 if part[0].is_float else 2, part[0].t, part[-1].t)
        joins = {HINT_GAUGE: 3, HINT_RESET: 2}.get(part[0].reset_hint, 0)
        expected = seam(samples[at - 1], part[0]) if at else joins
        assert chunk.data[2] == (joins if expected == "join" else int(expected)) << 6
        if expected == "join" and at:
            assert full(previous, previous_data, part[0])
        assert [seam(a, b) for a, b in pairwise(part)] == ["join"] * (len(part) - 1)
        assert chunk.data == encode_histogram_chunk(part, chunk.data[2])
        back = decode_histograms(chunk.encoding, chunk.data)
        assert back == decode_histogram_chunk(chunk.data, is_float=chunk.encoding == 3)
        assert all(a.same_value(b) for a, b in zip(part, back, strict=True))
        at += len(part)
        previous, previous_data = part, chunk.data
    assert at == len(samples)


@settings(max_examples=200, deadline=None)
@given(runs())
def test_chunks_equal_the_oracles_and_end_where_the_rules_say(samples: list[Histogram]) -> None:
    check_chunks(samples, encode_histograms(samples))


@pytest.mark.parametrize("is_float", [False, True])
def test_long_runs_are_cut_by_samples_and_by_size(is_float: bool) -> None:  # noqa: FBT001 - a parameter of the test
    small = [histogram(T0 + 15000 * i, {0: i}, is_float=is_float, zero=i) for i in range(300)]
    chunks = encode_histograms(small)
    assert [n for n, _ in headers(chunks)] == [120, 120, 60]
    check_chunks(small, chunks)
    wide = [
        histogram(T0 + 15000 * i, {k: i * i * (k % 7) for k in range(90)}, is_float=is_float, total=i * 1.1)
        for i in range(60)
    ]
    chunks = encode_histograms(wide)
    assert len(chunks) > 2
    check_chunks(wide, chunks)


def test_buckets_that_would_burst_a_chunk_end_it() -> None:
    samples = [histogram(T0 + i, {2000 * i + k: 0 for k in range(2000)}) for i in range(12)]
    chunks = encode_histograms(samples)
    check_chunks(samples, chunks)
    assert [n for n, _ in headers(chunks)] == [2] * 6


def test_appearing_buckets_widen_the_chunk_and_vanished_ones_are_a_reset() -> None:
    grow = [histogram(T0 + i, dict.fromkeys(range(i + 1), 1)) for i in range(5)]
    assert headers(encode_histograms(grow)) == [(5, 0)]
    assert headers(encode_histograms([*grow, histogram(T0 + 9, dict.fromkeys(range(4), 2))])) == [(5, 0), (1, 2)]
    empty = [histogram(T0, {0: 1, 1: 0}), histogram(T0 + 1, {0: 1})]
    assert headers(encode_histograms(empty)) == [(2, 0)]


def test_a_told_reset_begins_a_chunk_that_says_so() -> None:
    samples = [histogram(T0, {0: 1}), histogram(T0 + 1, {0: 5}, hint=HINT_RESET), histogram(T0 + 2, {0: 6})]
    chunks = encode_histograms(samples)
    assert headers(chunks) == [(1, 0), (2, 2)]
    assert [s.reset_hint for s in decoded(chunks)] == [HINT_UNKNOWN, HINT_UNKNOWN, HINT_NOT_RESET]
    assert headers(encode_histograms(samples[1:])) == [(2, 2)]


def test_gauges_may_fall_and_stay_gauges() -> None:
    samples = [histogram(T0 + i, {i: 5 - i}, hint=HINT_GAUGE) for i in range(5)]
    chunks = encode_histograms([*samples, histogram(T0 + 9, {0: 9})])
    assert headers(chunks) == [(5, 3), (1, 0)]
    assert [s.reset_hint for s in decoded(chunks)] == [HINT_GAUGE] * 5 + [HINT_UNKNOWN]


def test_after_a_stale_marker_only_stale_markers_follow() -> None:
    samples = [histogram(T0, {0: 1}), stale(T0 + 1), stale(T0 + 2), histogram(T0 + 3, {0: 2}), stale(T0 + 4)]
    chunks = encode_histograms(samples)
    assert headers(chunks) == [(3, 0), (2, 0)]
    assert [s.is_stale for s in decoded(chunks)] == [False, True, True, False, True]
    assert decoded(encode_histograms([stale(T0), stale(T0 + 1)])) == [stale(T0), stale(T0 + 1, hint=HINT_NOT_RESET)]


def test_any_64_bits_pass_through_integer_fields() -> None:
    """Counts that no histogram should have are kept all the same: the log took them."""
    extremes = (-(1 << 63), (1 << 63) - 1, -1, 1 << 62)
    samples = [
        Histogram(t, False, 0, 1.0, bits_of(1.0), count, 1 << 63, HINT_GAUGE, ((0, 4),), (), extremes, (), ())
        for t, count in ((-(1 << 63), (1 << 64) - 1), (0, 0), ((1 << 63) - 1, 1 << 63))
    ]
    chunks = encode_histograms(samples)
    assert all(a.same_value(b) for a, b in zip(samples, decoded(chunks), strict=True))
    check_chunks(samples, chunks)


@pytest.mark.parametrize("samples", [COUNTER, FLOATS, CUSTOM, [*COUNTER, stale(T0 + 45000)]])
def test_truncation_anywhere_is_seen(samples: list[Histogram]) -> None:
    (chunk,) = encode_histograms(samples)
    for size in range(len(chunk.data)):
        with pytest.raises(CorruptChunk):
            decode_histograms(chunk.encoding, chunk.data[:size])


@settings(max_examples=200, deadline=None)
@given(runs(), st.data())
def test_flipped_bits_decode_to_something_or_are_refused(samples: list[Histogram], data: st.DataObject) -> None:
    chunk = data.draw(st.sampled_from(encode_histograms(samples)))
    payload = bytearray(chunk.data)
    for bit in data.draw(st.lists(st.integers(0, min(len(payload), 60) * 8 - 1), min_size=1, max_size=4)):
        payload[bit // 8] ^= 1 << bit % 8
    try:
        back = decode_histograms(chunk.encoding, payload)
    except CorruptChunk:
        return
    assert len(back) == payload[0] << 8 | payload[1]
    assert all(a.t <= b.t for a, b in pairwise(back))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([2, 3]))
def test_garbage_is_refused_or_decoded_within_its_bytes(data: bytes, encoding: int) -> None:
    try:
        back = decode_histograms(encoding, data)
    except CorruptChunk:
        return
    assert len(back) == data[0] << 8 | data[1]


@pytest.mark.parametrize("claim", [uvarbit(1 << 20), uvarbit(1 << 40), uvarbit((1 << 64) - 1)])
@pytest.mark.parametrize("field", ["spans", "length", "bounds"])
def test_lying_counts_cost_no_memory(claim: str, field: str) -> None:
    layout = {
        "spans": "0" * 8 + varbit(0) + claim,
        "length": "0" * 8 + varbit(0) + uvarbit(1) + claim + varbit(0) + uvarbit(0),
        "bounds": "0" * 8 + varbit(-53) + uvarbit(0) + uvarbit(0) + claim,
    }[field]
    bits = "0" * 15 + "1" + "0" * 8 + layout + "0" * 800
    data = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big")
    for encoding in (2, 3):
        with pytest.raises(CorruptChunk):
            decode_histograms(encoding, data)


def test_empty_spans_are_read_as_gaps_and_cost_nothing_per_sample() -> None:
    """What some clients write for a histogram without buckets; and a chunk that has nothing but such spans."""
    bits = "0" * 15 + "1" + "0" * 16 + varbit(0) + uvarbit(4)
    bits += "".join(uvarbit(length) + varbit(offset) for offset, length in [(-5, 0), (3, 2), (1, 0), (2, 1)])
    bits += uvarbit(0) + varbit(7) + uvarbit(3) + uvarbit(0) + "0" * 64 + varbit(1) + varbit(0) + varbit(0)
    (sample,) = decode_histograms(2, packed(bits))
    assert (sample.positive_spans, sample.positive_buckets) == (((-2, 2), (3, 1)), (1, 0, 0))
    assert sample.absolute(negative=False) == {-2: 1, -1: 1, 3: 1}
    many = "1" * 16 + "0" * 16 + varbit(0) + uvarbit(400_000) + "00" * 400_000 + uvarbit(0) + "0" * 67 + "0" * 4 * 65534
    assert len(decode_histograms(2, packed(many))) == 65535


def test_spans_given_empty_are_left_out() -> None:
    sample = histogram(T0, {1: 2, 4: 3})
    odd = sample._replace(positive_spans=((0, 0), (1, 1), (0, 0), (2, 1), (7, 0)))
    assert [c.data for c in encode_histograms([odd])] == [c.data for c in encode_histograms([sample])]


def test_what_no_chunk_can_hold_is_the_callers_error() -> None:
    good = histogram(T0, {0: 1})
    for bad in (
        good._replace(positive_spans=((0, 2),)),
        good._replace(negative_buckets=(1,)),
        good._replace(positive_spans=((0, 1), (-1, 0))),
        good._replace(positive_spans=((1 << 30, 1),)),
        good._replace(positive_spans=((-(1 << 30) - 1, 1),)),
        good._replace(schema=53),
        good._replace(schema=-10),
    ):
        with pytest.raises(ValueError, match="spans do not cover its buckets, or its schema"):
            encode_histograms([bad])
    with pytest.raises(ValueError, match="times do not ascend"):
        encode_histograms([good, good])
    with pytest.raises(CorruptChunk, match="unknown chunk encoding: encoding=1"):
        decode_histograms(1, b"\0\0\0")
    assert encode_histograms([]) == []
