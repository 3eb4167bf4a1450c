"""Merging and reading chunks of several sources, against dictionaries of samples."""

from array import array
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tsdb.chunk_oracle import encode_xor
from tests.tsdb.test_histogram import histogram, stale
from tests.tsdb.test_xor import VALUES, bits_of
from tsdb.chunk import Chunk
from tsdb.chunks import (
    MergeCounts,
    Samples,
    decode_floats,
    decode_histograms,
    decode_range,
    encode_floats,
    encode_histograms,
    merge_chunks,
)
from tsdb.errors import CorruptChunk
from tsdb.native_histogram import HINT_GAUGE, Histogram

EVER = (-(1 << 63), (1 << 63) - 1)
Value = int | Histogram


def floats(*samples: tuple[int, float]) -> list[Chunk]:
    return encode_floats(array("q", [t for t, _ in samples]), array("Q", [bits_of(v) for _, v in samples]))


def chunks_of(source: dict[int, Value], cuts: Sequence[int] = ()) -> list[Chunk]:
    """One source's samples as chunks, cut where kinds change and before each time of `cuts`."""
    out: list[Chunk] = []
    run: list[int] = []

    def flush() -> None:
        values = [source[t] for t in run]
        if values and isinstance(values[0], int):
            out.extend(encode_floats(array("q", run), array("Q", [v for v in values if isinstance(v, int)])))
        elif values:
            out.extend(encode_histograms([v for v in values if isinstance(v, Histogram)]))
        run.clear()

    for t in sorted(source):
        if run and (t in cuts or isinstance(source[t], int) != isinstance(source[run[0]], int)):
            flush()
        run.append(t)
    flush()
    return out


def read(chunks: Sequence[Chunk]) -> dict[int, Value]:
    out: dict[int, Value] = {}
    for chunk in chunks:
        if chunk.encoding == 1:
            out.update(zip(*decode_floats(chunk.data), strict=True))
        else:
            out.update((h.t, h) for h in decode_histograms(chunk.encoding, chunk.data))
    return out


def same(a: Value, b: Value) -> bool:
    if isinstance(a, Histogram) and isinstance(b, Histogram):
        return a.same_value(b)
    return not isinstance(a, Histogram) and not isinstance(b, Histogram) and a == b


def assert_same(a: dict[int, Value], b: dict[int, Value]) -> None:
    assert sorted(a) == sorted(b)
    assert [t for t in a if not same(a[t], b[t])] == []


@st.composite
def sources(draw: st.DrawFn) -> list[tuple[dict[int, Value], list[Chunk]]]:
    """Up to four sources over the same few times, mostly agreeing, so that all kinds of overlap happen."""
    times = st.integers(0, 60)
    common = draw(st.dictionaries(times, st.one_of(VALUES, VALUES, st.integers(0, 9).map(float).map(bits_of))))
    histograms = draw(st.dictionaries(times, st.dictionaries(st.integers(-2, 5), st.integers(0, 3)), max_size=20))
    hint = draw(st.sampled_from([0, HINT_GAUGE]))
    truth: dict[int, Value] = dict(common)
    truth.update((t, histogram(t, buckets, zero=1, hint=hint)) for t, buckets in histograms.items())
    truth.update((t, stale(t, hint=hint)) for t in draw(st.sets(times, max_size=2)))
    out = []
    for _ in range(draw(st.integers(0, 4))):
        held = {t: truth[t] for t in sorted(truth) if draw(st.integers(0, 3))}
        for t in draw(st.sets(st.sampled_from(sorted(held)), max_size=3)) if held else ():
            held[t] = draw(VALUES) if draw(st.booleans()) else histogram(t, {0: 7}, hint=hint)
        out.append((held, chunks_of(held, sorted(draw(st.sets(times, max_size=6))))))
    return out


@settings(max_examples=200, deadline=None)
@given(sources())
def test_merging_keeps_the_first_sources_sample_of_every_time(
    held: list[tuple[dict[int, Value], list[Chunk]]],
) -> None:
    kept: dict[int, Value] = {}
    duplicate = conflicting = 0
    for samples, _ in held:
        for t, value in samples.items():
            if t in kept:
                duplicate += same(kept[t], value)
                conflicting += not same(kept[t], value)
            kept.setdefault(t, value)
    given_chunks = [chunk for _, chunks in held for chunk in chunks]
    merged, counts = merge_chunks(given_chunks)
    assert_same(read(merged), kept)
    assert counts == MergeCounts(duplicate, conflicting)
    assert all(a.maxt < b.mint for a, b in pairwise(merged))
    alone = [
        c
        for i, c in enumerate(given_chunks)
        if all(c.maxt < d.mint or d.maxt < c.mint for k, d in enumerate(given_chunks) if k != i)
    ]
    assert set(alone) <= set(merged)
    assert merge_chunks(given_chunks) == (merged, counts)
    assert merge_chunks(merged) == (merged, MergeCounts(0, 0))


@settings(max_examples=150, deadline=None)
@given(sources(), st.integers(-5, 65), st.integers(-5, 65))
def test_a_range_holds_what_merging_keeps_in_it(
    held: list[tuple[dict[int, Value], list[Chunk]]], mint: int, maxt: int
) -> None:
    kept: dict[int, Value] = {}
    for samples, _ in held:
        kept = samples | kept
    got = decode_range([chunk for _, chunks in held for chunk in chunks], mint, maxt)
    assert (got.timestamps.typecode, got.bits.typecode) == ("q", "Q")
    assert list(got.timestamps) == sorted(got.timestamps)
    values: dict[int, Value] = dict(zip(got.timestamps, got.bits, strict=True))
    values.update((h.t, h) for h in got.histograms)
    assert len(values) == len(got.timestamps) + len(got.histograms)
    assert_same(values, {t: v for t, v in kept.items() if mint <= t <= maxt})


def test_chunks_that_overlap_nothing_pass_unread() -> None:
    damaged = Chunk(1, 50, 60, b"\xff\xff not a chunk")
    before, after = floats((1, 1.0), (49, 2.0))[0], floats((61, 1.0))[0]
    assert merge_chunks([after, damaged, before]) == ([before, damaged, after], MergeCounts(0, 0))


def test_copies_of_one_chunk_become_one() -> None:
    chunk = floats((1, 1.0), (2, 2.0), (3, 3.0))[0]
    assert merge_chunks([chunk, chunk, chunk]) == ([chunk], MergeCounts(6, 0))


def test_sources_are_judged_against_what_was_kept() -> None:
    """A second and a third source that agree with each other conflict all the same."""
    chunks = [*floats((5, 1.0)), *floats((5, 2.0)), *floats((5, 2.0)), *floats((5, 1.0))]
    assert merge_chunks(chunks) == (chunks[:1], MergeCounts(1, 2))


def test_long_overlaps_are_cut_anew() -> None:
    even = floats(*[(2 * i, float(i)) for i in range(200)])
    odd = floats(*[(2 * i + 1, float(i)) for i in range(200)])
    merged, counts = merge_chunks([*even, *odd])
    assert counts == (0, 0)
    assert [c.data[0] << 8 | c.data[1] for c in merged] == [120, 120, 120, 40]
    assert [c.data for c in merged] == [
        encode_xor([(i, bits_of(float(i // 2))) for i in range(k, min(k + 120, 400))]) for k in range(0, 400, 120)
    ]


def test_a_float_among_histograms_parts_them() -> None:
    histograms = encode_histograms([histogram(t, {0: t}) for t in (1, 2, 4, 5)])
    merged, _ = merge_chunks([*histograms, *floats((3, 1.0), (4, 1.0))])
    assert [(c.encoding, c.mint, c.maxt) for c in merged] == [(2, 1, 2), (1, 3, 3), (2, 4, 5)]


@pytest.mark.parametrize(
    "liar",
    [
        floats((10, 1.0), (20, 1.0))[0]._replace(maxt=19),
        floats((10, 1.0), (20, 1.0))[0]._replace(mint=11),
        encode_histograms([histogram(10, {}), histogram(20, {})])[0]._replace(maxt=19),
        encode_histograms([histogram(10, {}), histogram(20, {})])[0]._replace(mint=11),
        floats((10, 1.0), (20, 1.0))[0]._replace(encoding=7),
        floats((10, 1.0), (20, 1.0))[0]._replace(data=b""),
        floats((10, 1.0), (20, 1.0))[0]._replace(mint=21),
    ],
)
def test_chunks_that_lie_are_refused(liar: Chunk) -> None:
    other = floats((15, 1.0), (21, 1.0))
    with pytest.raises(CorruptChunk):
        merge_chunks([*other, liar])
    if liar.mint <= liar.maxt:
        with pytest.raises(CorruptChunk):
            decode_range([*other, liar], 0, 100)


def test_nothing_merges_to_nothing() -> None:
    assert merge_chunks([]) == ([], MergeCounts(0, 0))
    assert decode_range([], *EVER) == Samples(array("q"), array("Q"), [])
