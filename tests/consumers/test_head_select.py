import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.head import Bounds, Head
from tests.consumers.head_oracle import Entry, Oracle, Sample, agree, decoded, named, record
from tests.consumers.test_head import BOUNDS, NOW, SERIES, WINDOW_MS, records
from tsdb.chunk import Labels
from tsdb.matcher import Matcher, MatchType, matches_all

ALWAYS = (0, 2**62)
names = st.sampled_from([b"__name__", b"job", b"zone", b"none", b""])
matchers = st.lists(
    st.builds(
        Matcher, st.sampled_from(MatchType), names, st.sampled_from([b"", b"a", b"b", b"up", b"a|b", b".+", b".*"])
    ),
    max_size=3,
)


def selected(head: Head, chosen: Sequence[Matcher], mint: int, maxt: int) -> dict[Labels, list[Sample]]:
    found: dict[Labels, list[Sample]] = {}
    for labels, chunks in head.select(chosen, mint, maxt):
        assert labels not in found
        assert chunks
        assert all(chunk.mint <= maxt and chunk.maxt >= mint for chunk in chunks)
        found[labels] = [sample for chunk in chunks for sample in decoded(chunk)]
    return found


@settings(max_examples=100, deadline=None)
@given(records, matchers, st.integers(-30_000, 20_000), st.integers(0, 30_000), st.sampled_from(["open", "finished"]))
def test_selects_what_the_oracle_holds(
    stream: list[tuple[bytes, int]], chosen: list[Matcher], offset: int, length: int, state: str
) -> None:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    oracle = Oracle(WINDOW_MS, BOUNDS)
    for value, append_time in stream:
        head.append(value, append_time)
        oracle.append(value, append_time)
    if state == "finished":
        head.finish()
    mint, maxt = NOW + offset, NOW + offset + length
    found = selected(head, chosen, mint, maxt)
    for labels, samples in oracle.series.items():
        inside = sorted((t, value) for t, value in samples.items() if mint <= t <= maxt)
        if inside and matches_all(chosen, labels):
            assert agree([sample for sample in found.pop(labels) if mint <= sample[0] <= maxt], inside)
    for labels, rest in found.items():  # chunks that begin before the range and end behind it
        assert matches_all(chosen, labels)
        assert {t for t, _ in rest} <= set(oracle.series[labels])


def test_the_open_head_merges_late_samples_as_finishing_does() -> None:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    for step in (5, 6, 2, 9, 2, 1):
        head.append(record([Entry(SERIES[0], [(NOW + step, step)])]), NOW)
    before = [list(series.chunks) for series in head.select([], *ALWAYS)]
    counts = head.counts
    assert [t for t, _ in selected(head, [], *ALWAYS)[SERIES[0]]] == [NOW + step for step in (1, 2, 5, 6, 9)]
    assert head.counts == counts
    head.finish()
    assert [list(series.chunks) for series in head.select([], *ALWAYS)] == before


class CountingMatcher(Matcher):
    def __init__(self, pattern: bytes) -> None:
        super().__init__(MatchType.REGEX, b"job", pattern)
        self.asked: list[bytes] = []

    def matches(self, value: bytes) -> bool:
        self.asked.append(value)
        return re.fullmatch(self.value, value) is not None


def test_a_pattern_is_asked_once_about_a_value() -> None:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    for number in range(10_000):
        head.append(record([Entry(named(job=f"job-{number % 3}", pod=str(number)), [(NOW, 1)])]), NOW)
    matcher = CountingMatcher(b"job-[01]")
    assert len(selected(head, [matcher], *ALWAYS)) == 6667
    assert sorted(matcher.asked) == [b"job-0", b"job-1", b"job-2"]


def test_an_error_in_a_pattern_comes_out_and_the_head_goes_on() -> None:
    class BrokenMatcher(Matcher):
        def matches(self, value: bytes) -> bool:
            raise LookupError(value)

    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    head.append(record([Entry(SERIES[0], [(NOW, 1)])]), NOW)
    with pytest.raises(LookupError):
        list(head.select([BrokenMatcher(MatchType.REGEX, b"job", b".*")], *ALWAYS))
    head.append(record([Entry(SERIES[1], [(NOW, 1)])]), NOW)
    assert len(selected(head, [], *ALWAYS)) == 2


def test_a_selection_outlives_appends_and_the_name_of_its_head() -> None:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=Bounds(10_000, 10_000, 2))
    for number in range(600):
        head.append(record([Entry(named(pod=str(number)), [(NOW, number)])]), NOW)
    selection = iter(head.select([], *ALWAYS))
    first = next(selection)
    for number in range(600):
        head.append(record([Entry(named(pod=str(number)), [(NOW + 1, number)])]), NOW)
    del head
    rest = list(selection)
    assert len({series.labels for series in [first, *rest]}) == 600


def test_neighbours_share_the_pairs_they_have_in_one_place() -> None:
    """Not to make an object for every label of a million series that a query holds at once."""
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    sets = [named(pod="a"), named(pod="b"), named(apple="1", pod="b"), named(pod="b"), named()]
    for zone, labels in enumerate(sets):
        label_set = tuple(sorted([*labels, (b"zone", b"%d" % zone)]))
        head.append(record([Entry(label_set, [(NOW, 1)])]), NOW)
    found = {one.labels[-1][1]: one.labels for one in head.select([], *ALWAYS)}
    assert [found[b"%d" % zone][:-1] for zone in range(len(sets))] == sets
    assert found[b"0"][0] is found[b"1"][0]
