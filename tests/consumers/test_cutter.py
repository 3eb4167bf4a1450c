from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from bucket.manifest import EndedBy
from consumers.cutter import Cutter

INTERVAL = 1000
MAX_BYTES = 100


class Item(NamedTuple):
    offset: int
    append_time: int
    size: int


class Cut(NamedTuple):
    start: int
    end: int
    why: EndedBy | None  # None for the one that is still open


def cut(items: list[Item]) -> list[Cut]:
    """All segments of a log, by the cutter."""
    cuts = []
    cutter, start, end = Cutter(INTERVAL, MAX_BYTES), 0, 0
    for item in items:
        if why := cutter.ends_before(item.offset, item.append_time):
            cuts.append(Cut(start, end, why))
            cutter, start = Cutter(INTERVAL, MAX_BYTES), end
        why = cutter.take(*item)
        end = item.offset + 1
        if why:
            cuts.append(Cut(start, end, why))
            cutter, start = Cutter(INTERVAL, MAX_BYTES), end
    return [*cuts, Cut(start, end, None)] if end > start else cuts


@st.composite
def logs(draw: st.DrawFn) -> list[Item]:
    items, offset, time = [], 0, draw(st.integers(0, 5000))
    for _ in range(draw(st.integers(0, 40))):
        offset += draw(st.sampled_from([0, 0, 0, 0, 3]))
        # A broker's clock may go back.
        time = max(0, time + draw(st.sampled_from([0, 1, 100, 999, 1000, 5000, -1, -999, -5000])))
        items.append(Item(offset, time, draw(st.integers(0, 60))))
        offset += 1
    return items


def test_the_mark_is_the_end_of_the_aligned_slot_of_the_first_record() -> None:
    for append_time, mark in ((0, 1000), (999, 1000), (1000, 2000), (1700, 2000)):
        cutter = Cutter(INTERVAL, MAX_BYTES)
        cutter.take(0, append_time, 1)
        assert cutter.mark == mark
        assert cutter.ends_before(1, mark - 1) is None
        assert cutter.ends_before(1, mark) == "mark"


def test_the_first_record_belongs_whatever_it_is() -> None:
    assert Cutter(INTERVAL, MAX_BYTES).ends_before(77, 10**15) is None
    assert Cutter(INTERVAL, MAX_BYTES).take(77, 10**15, MAX_BYTES + 1) == "bytes"


def test_bytes_end_a_segment_behind_the_record_that_reaches_the_bound() -> None:
    cutter = Cutter(INTERVAL, MAX_BYTES)
    assert cutter.take(0, 0, MAX_BYTES - 1) is None
    assert cutter.take(1, 0, 1) == "bytes"


def test_an_idle_segment_ends_only_past_mark_and_grace() -> None:
    cutter = Cutter(INTERVAL, MAX_BYTES)
    assert not cutter.idle_after(10**15, 0)  # nothing in it
    cutter.take(0, 500, 1)
    assert not cutter.idle_after(1000 + 30, 30)
    assert cutter.idle_after(1000 + 31, 30)


@settings(max_examples=200, deadline=None)
@given(logs())
def test_segments_follow_each_other_and_hold_what_is_before_their_mark(items: list[Item]) -> None:
    cuts = cut(items)
    assert [c.end for c in cuts[:-1]] == [c.start for c in cuts[1:]]
    for segment in cuts:
        inside = [item for item in items if segment.start <= item.offset < segment.end]
        assert inside
        assert max(item.append_time // INTERVAL for item in inside) == inside[0].append_time // INTERVAL
        assert [item.offset for item in inside] == list(range(inside[0].offset, segment.end))
        assert sum(item.size for item in inside[:-1]) < MAX_BYTES
    assert sum(segment.end > item.offset >= segment.start for item in items for segment in cuts) == len(items)


@settings(max_examples=200, deadline=None)
@given(logs(), st.data())
def test_whoever_starts_anew_at_a_segments_start_cuts_the_same(items: list[Item], data: st.DataObject) -> None:
    cuts = cut(items)
    if not cuts:
        return
    first = data.draw(st.integers(0, len(cuts) - 1))
    rest = cut([item for item in items if item.offset >= cuts[first].start])
    assert [(c.end, c.why) for c in rest] == [(c.end, c.why) for c in cuts[first:]]


@settings(max_examples=200, deadline=None)
@given(logs())
def test_an_idle_end_lies_where_the_next_record_would_have_put_it(items: list[Item]) -> None:
    """Segments cut when only the log up to their end was there, and the clock had moved on, are the same ones."""
    for segment in cut(items):
        if segment.why == "mark":
            known = cut([item for item in items if item.offset < segment.end])
            assert known[-1][:2] == segment[:2]
