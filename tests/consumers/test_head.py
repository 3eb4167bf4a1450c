import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.head import Bounds, Counts, Head
from forebay.errors import InvalidData
from tests.consumers.head_oracle import (
    STALE,
    Entry,
    Oracle,
    Sample,
    agree,
    bits_of,
    decoded,
    float_chunks,
    named,
    read_block,
    record,
    tree,
)
from tests.wire.labels_oracle import label_fields, text_field
from tsdb.chunk import ENCODING_XOR, Labels
from tsdb.native_histogram import HINT_GAUGE, HINT_UNKNOWN, Histogram

NOW = 1_700_006_400_000  # the start of a window
WINDOW_MS = 10_000
BOUNDS = Bounds(max_age=25_000, max_future=15_000, max_windows=3)
SERIES = [named(job="a"), named(job="b"), named(job="b", zone="é"), named(A="before the name")]


def histogram(count: int, *, is_float: bool = False, hint: int = HINT_UNKNOWN, spans: int = 1) -> Histogram:
    buckets = [count, 0, 1][: spans + 1] if not is_float else [bits_of(float(n)) for n in (count, 0, 1)][: spans + 1]
    return Histogram(
        t=0,
        is_float=is_float,
        schema=1,
        zero_threshold=0.001,
        sum_bits=bits_of(float(count)),
        count=bits_of(float(count)) if is_float else count,
        zero_count=0,
        reset_hint=hint,
        positive_spans=((0, 1), (2, spans)),
        negative_spans=(),
        positive_buckets=tuple(buckets),
        negative_buckets=(),
        custom_values=(),
    )


def head(window_ms: int = WINDOW_MS, bounds: Bounds = BOUNDS) -> Head:
    return Head(seed=7, window_ms=window_ms, bounds=bounds)


def check_block(made: Path, expected: dict[Labels, list[Sample]]) -> None:
    found = read_block(made)
    assert list(found) == list(expected)
    for labels, chunks in found.items():
        samples = expected[labels]
        assert agree([sample for chunk in chunks for sample in decoded(chunk)], samples)
        assert [chunk.data for chunk in chunks if chunk.encoding == ENCODING_XOR] == float_chunks(samples)
        for chunk in chunks:
            times = [t for t, _ in decoded(chunk)]
            assert (chunk.mint, chunk.maxt) == (times[0], times[-1])


times = st.integers(min_value=-30, max_value=20).map(lambda step: NOW + step * 1000) | st.integers(-30_000, 20_000).map(
    lambda offset: NOW + offset
)
floats = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan")]).map(bits_of) | st.just(STALE) | st.integers(0, 2**64 - 1)
histograms = st.builds(
    histogram,
    st.integers(0, 3),
    is_float=st.booleans(),
    hint=st.sampled_from([HINT_UNKNOWN, HINT_GAUGE]),
    spans=st.integers(1, 2),
)
entries = st.builds(
    Entry,
    st.sampled_from(SERIES),
    st.lists(st.tuples(times, floats | floats | histograms), max_size=6),
)
records = st.lists(
    st.tuples(
        st.builds(record, st.lists(entries, max_size=6), exemplars=st.integers(0, 2), metadata=st.integers(0, 2)),
        st.integers(0, 3000).map(lambda offset: NOW + offset),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(records)
def test_blocks_and_counts_are_those_of_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, stream: list[tuple[bytes, int]]
) -> None:
    made = head()
    oracle = Oracle(WINDOW_MS, BOUNDS)
    for value, append_time in stream:
        made.append(value, append_time)
        oracle.append(value, append_time)
        assert {s.labels for s in made.select([], 0, 2**62)} == set(oracle.series)
    counts = made.finish()
    assert counts == oracle.counts()
    assert counts.appended == counts.stored + counts.duplicate + sum(counts.rejected.values())
    assert made.finish() == made.counts == counts
    assert made.windows() == sorted(oracle.windows)
    assert made.series == len(oracle.series)
    for window in made.windows():
        directory = tmp_path_factory.mktemp("block")
        stats = made.write_block(window, directory)
        expected = oracle.block(window)
        check_block(directory, expected)
        assert (stats.series, stats.samples) == (len(expected), sum(map(len, expected.values())))


@pytest.mark.parametrize("late", [0, 1, 200])
def test_chunks_hold_120_samples_whatever_came_late(tmp_path: Path, late: int) -> None:
    chance = random.Random(late)
    samples: list[Sample] = [(NOW + 10 * step, bits_of(chance.random() * step)) for step in range(500)]
    moved = chance.sample(samples, late)
    order = [sample for sample in samples if sample not in moved] + moved
    made = head()
    for start in range(0, 500, 7):
        made.append(record([Entry(SERIES[0], order[start : start + 7])]), NOW)
    assert made.finish().stored == 500
    made.write_block(NOW, tmp_path)
    check_block(tmp_path, {SERIES[0]: samples})
    assert [len(decoded(chunk)) for chunk in read_block(tmp_path)[SERIES[0]]] == [120, 120, 120, 120, 20]


def test_incompressible_samples_and_far_apart_times_keep_their_bits(tmp_path: Path) -> None:
    chance = random.Random(1)
    samples: list[Sample] = []
    t = -(2**38)
    for _ in range(400):
        t += chance.choice([1, 9_000, 70_000, 600_000, 2**33])
        samples.append((t, chance.getrandbits(64)))
    made = head(2**50, Bounds(2**50, 2**50, 2))
    for sample in samples:
        made.append(record([Entry(SERIES[0], [sample])]), 0)
    made.finish()
    for window in made.windows():
        made.write_block(window, tmp_path / str(window))
        check_block(tmp_path / str(window), {SERIES[0]: [s for s in samples if s[0] // 2**50 * 2**50 == window]})
    assert made.windows() == [-(2**50), 0]


def test_the_first_of_a_time_wins_and_the_rest_is_told_apart() -> None:
    made = head()
    one, two = bits_of(1.0), bits_of(2.0)
    made.append(record([Entry(SERIES[0], [(NOW, one), (NOW, one), (NOW, two), (NOW + 5, one)])]), NOW)
    assert made.counts == Counts(1, 4, 2, 1, {"duplicate_timestamp": 1}, 0, 0)
    made.append(record([Entry(SERIES[0], [(NOW, one), (NOW, two), (NOW + 1, two), (NOW + 1, two)])]), NOW)
    assert made.counts.stored == 6  # late ones are judged at the end
    assert made.finish() == Counts(2, 8, 3, 3, {"duplicate_timestamp": 2}, 0, 0)


def test_positive_and_negative_zero_differ_and_equal_nans_do_not() -> None:
    made = head()
    nan = 0x7FF8000000000001
    made.append(record([Entry(SERIES[0], [(NOW, bits_of(0.0)), (NOW, bits_of(-0.0))])]), NOW)
    made.append(record([Entry(SERIES[1], [(NOW, nan), (NOW, nan), (NOW, STALE)])]), NOW)
    assert made.finish() == Counts(2, 5, 2, 1, {"duplicate_timestamp": 2}, 0, 0)


def test_bounds_are_judged_against_append_time_and_leave_no_series() -> None:
    made = head(bounds=Bounds(10_000, 5_000, 1))
    for t in (NOW - 10_001, NOW + 5_001):
        made.append(record([Entry(SERIES[0], [(t, 0)])]), NOW)
    assert (made.series, made.windows()) == (0, [])
    for t in (NOW - 10_000, NOW + 5_000):
        made.append(record([Entry(SERIES[1], [(t, 0)])]), NOW)
    assert made.windows() == [NOW - 10_000]
    assert made.finish().rejected == {"out_of_bounds_past": 1, "out_of_bounds_future": 1, "too_many_windows": 1}


def test_times_before_1970_lie_in_the_window_below() -> None:
    made = head()
    made.append(record([Entry(SERIES[0], [(-1, 0), (-10_000, 0), (-10_001, 0), (0, 0)])]), 0)
    made.finish()
    assert made.windows() == [-20_000, -10_000, 0]


def test_the_ends_of_int64_are_out_of_bounds() -> None:
    made = head(bounds=Bounds(1000, 1000, 10))
    far = record([Entry(SERIES[0], [(2**63 - 1, 0), (-(2**63), 0)])])
    for append_time in (2**63 - 1, -(2**63), 0):
        made.append(far, append_time)
    assert made.finish().appended == sum(made.counts.rejected.values()) == 6


def entry_bytes(labels: bytes, rest: bytes = b"") -> bytes:
    return text_field(1, labels + rest)


SAMPLE = text_field(2, b"\x09" + bytes(8) + b"\x10\x05")
UP = (b"__name__", b"up")
POISON = {
    "no labels": entry_bytes(b"", SAMPLE),
    "no name": entry_bytes(label_fields([(b"job", b"a")]), SAMPLE),
    "unsorted": entry_bytes(label_fields([(b"job", b"a"), UP]), SAMPLE),
    "twice": entry_bytes(label_fields([UP, UP]), SAMPLE),
    "empty value": entry_bytes(label_fields([UP, (b"job", b"")]), SAMPLE),
    "not utf-8": entry_bytes(label_fields([UP, (b"job", b"\xff")]), SAMPLE),
    "labels behind a sample": entry_bytes(label_fields([UP]), SAMPLE + label_fields([(b"job", b"a")])),
    "sample of a wrong wire type": entry_bytes(label_fields([UP]), b"\x10\x05"),
    "value as a varint": entry_bytes(label_fields([UP]), text_field(2, b"\x08\x05")),
    "time as a double": entry_bytes(label_fields([UP]), text_field(2, b"\x11" + bytes(8))),
    "series of a wrong wire type": b"\x08\x05",
    "a group": b"\x23",
    "field zero": b"\x02\x00",
    "overlong varint": entry_bytes(label_fields([UP]), text_field(2, b"\x10" + b"\xff" * 10)),
    "length beyond the end": b"\x0a\x7f",
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_bad_entry_behind_good_ones_leaves_the_head_as_it_was(tmp_path: Path, poison: bytes) -> None:
    made, clean = head(), head()
    good = record([Entry(labels, [(NOW, 5), (NOW + 7, 6)]) for labels in SERIES])
    for each in (made, clean):
        each.append(good, NOW)
    before = (made.counts, made.series, made.windows())
    more = record([Entry(named(job="new"), [(NOW + 9, 5)]), Entry(SERIES[0], [(NOW + 10_000, 5)])])
    with pytest.raises(InvalidData):
        made.append(more + poison, NOW)
    assert (made.counts, made.series, made.windows()) == before
    assert_same_blocks(tmp_path, made, clean)


def assert_same_blocks(scratch: Path, *heads: Head) -> None:
    made = []
    for number, each in enumerate(heads):
        counts = each.finish()
        for window in each.windows():
            each.write_block(window, scratch / str(number) / str(window))
        made.append((counts, tree(scratch / str(number))))
    assert all(one == made[0] for one in made)
    assert made[0][1]


def test_a_record_cut_anywhere_is_refused_or_is_a_whole_shorter_one(tmp_path: Path) -> None:
    made, clean = head(), head()
    whole = record(
        [
            Entry(SERIES[0], [(NOW, 5), (NOW + 1, histogram(3))]),
            Entry(SERIES[1], [(NOW, STALE), (NOW + 2, histogram(2, is_float=True))]),
        ],
        exemplars=1,
        metadata=1,
    )
    boundaries = set()
    for cut in range(len(whole)):
        try:
            made.append(whole[:cut], NOW)
        except InvalidData:
            continue
        boundaries.add(cut)
        clean.append(whole[:cut], NOW)
        assert made.counts == clean.counts
    assert len(boundaries) == 3  # nothing; the first entry; both
    assert_same_blocks(tmp_path, made, clean)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_records_are_refused_or_taken_as_protobuf_reads_them(data: st.DataObject) -> None:
    value = bytearray(record([Entry(labels, [(NOW, 5), (NOW + 1, histogram(3))]) for labels in SERIES[:2]]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at] = data.draw(st.integers(0, 255))
    made = head()
    try:
        made.append(bytes(value), NOW)
    except InvalidData:
        assert made.counts == Counts(0, 0, 0, 0, {}, 0, 0)
        assert made.series == 0
        return
    oracle = Oracle(WINDOW_MS, BOUNDS)
    oracle.append(bytes(value), NOW)
    assert made.finish() == oracle.counts()


def test_samples_read_as_protobuf_reads_them(tmp_path: Path) -> None:
    labels = label_fields([UP])
    stamp = b"\x10" + struct.pack("B", 9)
    value = b"\x09" + struct.pack("<d", 2.5)
    odd = [
        text_field(2, stamp + value),  # the other way round
        text_field(2, b"\x10\x01" + value + b"\x10\x0a"),  # a field twice: the last one counts
        text_field(2, value + b"\x10\x0b\x18\x07"),  # an unknown field
        text_field(2, b"\x10\x0c"),  # no value: zero
        text_field(2, b""),  # nothing: zero at zero
        text_field(9, b"unknown"),
    ]
    made = head()
    made.append(entry_bytes(labels, b"".join(odd)) + text_field(15, b"unknown"), 0)
    assert made.finish().stored == 5
    made.write_block(0, tmp_path)
    bits = bits_of(2.5)
    check_block(tmp_path, {(UP,): [(0, 0), (9, bits), (10, bits), (11, bits), (12, 0)]})


def test_an_empty_record_and_entries_without_samples_make_no_series() -> None:
    made = head()
    made.append(b"", NOW)
    made.append(record([Entry(SERIES[0], [])], exemplars=2, metadata=3), NOW)
    assert made.finish() == Counts(2, 0, 0, 0, {}, 2, 3)
    assert (made.series, made.windows()) == (0, [])


def test_a_record_left_out_is_counted_and_leaves_nothing_behind() -> None:
    made = head()
    made.append(record([Entry(SERIES[0], [(NOW, 5)])]), NOW)
    held = made.memory_bytes
    left_out = [Entry(SERIES[0], [(NOW, 5), (NOW + 1, 6)]), Entry(SERIES[1], [(NOW - 10**12, histogram(3))])]
    made.leave_out(memoryview(record(left_out, exemplars=2, metadata=1)))
    made.leave_out(b"")
    with pytest.raises(InvalidData, match="WriteRequest"):
        made.leave_out(record(left_out)[:-1])
    assert made.finish() == Counts(3, 4, 1, 0, {}, 4, 1, deduplicated=3)
    assert (made.series, made.windows(), made.memory_bytes) == (1, [NOW], held)
    with pytest.raises(ValueError, match="finished"):
        made.leave_out(b"")


@given(st.lists(st.tuples(st.lists(entries, max_size=4), st.booleans()), max_size=4))
def test_records_left_out_change_nothing_of_the_others(steps: list[tuple[list[Entry], bool]]) -> None:
    made, alone = head(), head()
    samples = 0
    for entries, stored in steps:
        value = record(entries)
        if stored:
            alone.append(value, NOW)
            made.append(value, NOW)
        else:
            made.leave_out(value)
            samples += sum(len(entry.samples) for entry in entries)
    found = made.finish()
    expected = alone.finish()._replace(records=len(steps), appended=alone.counts.appended + samples)
    assert found == expected._replace(deduplicated=samples)


def test_nothing_follows_finish_and_no_block_precedes_it(tmp_path: Path) -> None:
    made = head()
    made.append(record([Entry(SERIES[0], [(NOW, 5)])]), NOW)
    with pytest.raises(ValueError, match="not finished"):
        made.write_block(NOW, tmp_path)
    made.finish()
    with pytest.raises(ValueError, match="finished"):
        made.append(b"", NOW)
    with pytest.raises(ValueError, match="window"):
        made.write_block(NOW + WINDOW_MS, tmp_path)


@pytest.mark.parametrize("bounds", [Bounds(-1, 0, 1), Bounds(0, -1, 1), Bounds(2**60, 0, 1)])
def test_bounds_that_cannot_be_are_refused(bounds: Bounds) -> None:
    with pytest.raises(ValueError, match="out of range"):
        head(bounds=bounds)


def test_many_series_sort_as_their_labels_do(tmp_path: Path) -> None:
    chance = random.Random(3)
    alphabet = ["a", "b", "ab", "\x00", "a\x00", "seven77", "seven77x", "éclair", "seven77\x00", "z" * 300]
    made_sets = set()
    for _ in range(3000):
        names = chance.choices("ABcde", k=chance.randrange(4))
        made_sets.add(named(**{name: "".join(chance.choices(alphabet, k=3)) for name in names}))
    label_sets = sorted(made_sets)
    chance.shuffle(label_sets)
    made = head()
    for start in range(0, len(label_sets), 100):
        made.append(record([Entry(labels, [(NOW, start)]) for labels in label_sets[start : start + 100]]), NOW)
    made.finish()
    made.write_block(NOW, tmp_path)
    assert list(read_block(tmp_path)) == sorted(label_sets)
