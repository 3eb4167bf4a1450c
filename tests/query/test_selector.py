"""Heads and blocks as one: merged, deduplicated, bounded, and never a hole while a segment is being published."""

import struct
from array import array
from collections.abc import Iterator, Sequence

import pytest

from bucket.bucket import ObjectNotFound
from forebay.errors import Retryable
from query.memory import QueryMemory, QueryTooLarge
from query.selector import Selector, TooManySamples
from tsdb.chunk import Chunk, Labels, SeriesChunks
from tsdb.chunks import encode_floats
from tsdb.matcher import Matcher, matches_all

UP: Labels = ((b"__name__", b"up"),)
DOWN: Labels = ((b"__name__", b"down"),)
ANY: list[Matcher] = []


def bits(value: float) -> int:
    number: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return number


def chunks(*samples: tuple[int, float]) -> list[Chunk]:
    return encode_floats(array("q", [t for t, _ in samples]), array("Q", [bits(v) for _, v in samples]))


class Series:
    """Both sources as a list of series, in the order of their priority."""

    def __init__(self, *held: tuple[Labels, list[Chunk]]) -> None:
        self.held = list(held)

    def select(self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterator[SeriesChunks]:
        for labels, found in self.held:
            if tenant == "t" and matches_all(matchers, labels):
                yield SeriesChunks(labels, found)


def answer(
    selector: Selector, mint: int = 0, maxt: int = 1_000, limit: int = 1 << 20
) -> dict[Labels, list[tuple[int, int]]]:
    return {
        labels: list(zip(samples.timestamps, samples.bits, strict=True))
        for labels, samples in selector.select("t", ANY, mint, maxt, QueryMemory(limit).open())
    }


def test_a_segment_seen_in_both_sources_is_there_once() -> None:
    same = chunks((10, 1.0), (20, -0.0))
    selector = Selector(Series((UP, same)), Series((UP, same)), max_samples=2)
    assert answer(selector) == {UP: [(10, bits(1.0)), (20, bits(-0.0))]}


def test_sources_interleave_and_the_older_block_wins() -> None:
    selector = Selector(
        Series((UP, chunks((15, 9.0), (30, 3.0)))),
        Series((UP, chunks((10, 1.0), (15, 2.0)))),
        max_samples=100,
    )
    assert answer(selector) == {UP: [(10, bits(1.0)), (15, bits(2.0)), (30, bits(3.0))]}


def test_the_range_is_closed_and_empty_series_are_left_out() -> None:
    selector = Selector(
        Series((UP, chunks((10, 1.0), (20, 2.0), (30, 3.0)))), Series((DOWN, chunks((5, 1.0)))), max_samples=9
    )
    assert answer(selector, 10, 20) == {UP: [(10, bits(1.0)), (20, bits(2.0))]}


def test_series_ascend_by_labels() -> None:
    selector = Selector(Series((UP, chunks((1, 1.0)))), Series((DOWN, chunks((1, 1.0)))), max_samples=9)
    assert list(answer(selector)) == [DOWN, UP]


def test_too_many_samples_are_refused_with_the_limit() -> None:
    selector = Selector(Series((UP, chunks((1, 1.0), (2, 1.0)))), Series(), max_samples=1)
    with pytest.raises(TooManySamples, match="limit=1"):
        answer(selector)


def test_samples_of_other_queries_count_into_the_limit() -> None:
    selector = Selector(Series((UP, chunks((1, 1.0), (2, 1.0)))), Series(), max_samples=5)
    assert len(list(selector.select("t", ANY, 0, 9, QueryMemory(1 << 20).open(), taken=3))) == 1
    with pytest.raises(TooManySamples, match="limit=5"):
        list(selector.select("t", ANY, 0, 9, QueryMemory(1 << 20).open(), taken=4))


class Vanishing(Series):
    """Blocks that a compactor removes under the reader, so many times."""

    def __init__(self, times: int, *held: tuple[Labels, list[Chunk]]) -> None:
        super().__init__(*held)
        self.times = times

    def select(self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterator[SeriesChunks]:
        if self.times:
            self.times -= 1
            raise ObjectNotFound("index is gone: key=X/index")
        yield from super().select(tenant, matchers, mint, maxt)


def test_a_block_compacted_away_while_read_is_looked_for_again() -> None:
    selector = Selector(Series(), Vanishing(2, (UP, chunks((1, 1.0)))), max_samples=9)
    assert answer(selector) == {UP: [(1, bits(1.0))]}
    selector = Selector(Series(), Vanishing(9, (UP, chunks((1, 1.0)))), max_samples=9)
    with pytest.raises(Retryable):
        answer(selector)


def test_a_segment_published_between_the_two_looks_is_not_missed() -> None:
    """The head lets go of a segment once its manifest stands: whoever asks heads first finds it in one of the two."""
    head, blocks = Series((UP, chunks((1, 1.0)))), Series()

    class PublishedAfterwards(Series):
        def select(self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int) -> Iterator[SeriesChunks]:
            yield from head.select(tenant, matchers, mint, maxt)
            blocks.held, head.held = blocks.held + head.held, []

    assert answer(Selector(PublishedAfterwards(), blocks, max_samples=9)) == {UP: [(1, bits(1.0))]}
    assert answer(Selector(PublishedAfterwards(), blocks, max_samples=9)) == {UP: [(1, bits(1.0))]}


def test_memory_is_bounded_for_one_query_and_for_all() -> None:
    selector = Selector(Series((UP, chunks((1, 1.0)))), Series(), max_samples=9)
    with pytest.raises(QueryTooLarge, match="limit=500"):
        answer(selector, limit=500)
    memory = QueryMemory(2_000)
    with memory.open() as first:
        first.take(1_500)
        with memory.open() as second, pytest.raises(Retryable, match="all memory"):
            list(selector.select("t", ANY, 0, 1_000, second))
    assert memory.held == 0
    with memory.open() as alone:
        assert len(list(selector.select("t", ANY, 0, 1_000, alone))) == 1
