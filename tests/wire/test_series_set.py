import random
import threading
from array import array

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wire.series_set import ACTIVE_GENERATIONS, SeriesBudget, SeriesSet

PLENTY = 1 << 30


def packed(*hashes: int) -> bytes:
    return array("Q", hashes).tobytes()


def unpacked(data: bytes) -> list[int]:
    return list(array("Q", data))


def spread(count: int, start: int = 0) -> list[int]:
    """Hashes as far from each other as real ones are."""
    return [(number * 0x9E3779B97F4A7C15) & (2**64 - 1) for number in range(start + 1, start + count + 1)]


class Model(RuleBasedStateMachine):
    """A set against a dictionary from hash to the generation it was last seen in."""

    hashes = st.lists(st.sampled_from(spread(300)), max_size=100)

    @initialize(limit=st.sampled_from([0, 5, 150]), shared=st.booleans())
    def begin(self, limit: int, shared: bool) -> None:  # noqa: FBT001 - drawn
        self.budget = SeriesBudget(PLENTY)
        self.generation = 1000
        self.limit, self.shared = limit, shared
        self.set = SeriesSet(self.budget, self.generation, limit=limit, shared=shared)
        self.seen: dict[int, int] = {}
        self.fresh: list[int] = []
        self.allowance: int | None = None

    @rule(hashes=hashes)
    def admit(self, hashes: list[int]) -> None:
        admitted = 0
        for each in hashes:
            if each not in self.seen:
                if (self.limit and len(self.seen) >= self.limit) or self.allowance == 0:
                    continue
                if self.allowance is not None:
                    self.allowance -= 1
            if self.seen.get(each) != self.generation:
                self.fresh.append(each)
            self.seen[each] = self.generation
            admitted += 1
        assert self.set.admit(packed(*hashes)) == admitted

    @rule(hashes=hashes, back=st.integers(-2, 7))
    def merge(self, hashes: list[int], back: int) -> None:
        new = 0
        seen_in = min(self.generation - back, self.generation)
        if back <= ACTIVE_GENERATIONS:
            new = len(set(hashes) - self.seen.keys())
            self.seen |= {each: max(seen_in, self.seen.get(each, 0)) for each in hashes}
        assert self.set.merge(packed(*hashes), self.generation - back) == new

    @rule(later=st.integers(-1, 9))
    def advance(self, later: int) -> None:
        self.set.advance(self.generation + later)
        self.generation = max(self.generation, self.generation + later)
        oldest = self.generation - ACTIVE_GENERATIONS
        self.seen = {each: last for each, last in self.seen.items() if last >= oldest}

    @rule(allowance=st.none() | st.integers(0, 100))
    def allow(self, allowance: int | None) -> None:
        self.set.allowance = self.allowance = allowance

    @rule()
    def take(self) -> None:
        assert unpacked(self.set.take_fresh()) == (self.fresh if self.shared else [])
        self.fresh = []

    @invariant()
    def same(self) -> None:
        assert len(self.set) == len(self.seen)
        assert self.set.allowance == self.allowance
        assert self.budget.used == self.set.memory


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_series_costs_at_most_21_bytes_once_there_are_some() -> None:
    series = SeriesSet(SeriesBudget(PLENTY), 0)
    for count in range(1000, 200_000, 7919):
        series.admit(packed(*spread(7919, count)))
        assert 10 < series.memory / len(series) < 22


def test_a_set_shrinks_when_its_series_end() -> None:
    budget = SeriesBudget(PLENTY)
    series = SeriesSet(budget, 0)
    hashes = spread(50_000)
    series.admit(packed(*hashes))
    series.advance(ACTIVE_GENERATIONS)
    series.admit(packed(*hashes[:100]))
    large = series.memory
    series.advance(ACTIVE_GENERATIONS + 1)
    assert len(series) == 100
    assert series.memory < large / 100
    assert series.admit(packed(*hashes[:100])) == 100
    assert len(series) == 100
    series.advance(100)
    assert (len(series), series.memory, budget.used) == (0, 0, 0)


def test_words_are_found_after_others_went_without_memory_for_a_smaller_table() -> None:
    series = SeriesSet(SeriesBudget(PLENTY), 0)
    old, kept = spread(300), spread(300, 300)
    series.admit(packed(*old))
    series.advance(1)
    series.admit(packed(*kept))  # 600 of 1024: as many remain as the table is made for
    series.advance(ACTIVE_GENERATIONS + 1)
    assert len(series) == 300
    series.limit = 300
    assert series.admit(packed(*kept)) == 300
    assert series.admit(packed(*old)) == 0


def test_without_memory_new_series_pass_uncounted() -> None:
    budget = SeriesBudget(8 * 128)
    one, two = SeriesSet(budget, 0, limit=10), SeriesSet(budget, 0, limit=1000)
    assert two.admit(packed(*spread(200))) == 200
    assert len(two) == 96  # three quarters of the slots
    assert two.uncounted == 104
    assert one.admit(packed(1, 2, 3)) == 3
    assert (len(one), one.uncounted) == (0, 3)
    two.advance(100)
    assert one.admit(packed(1, 2, 3)) == 3
    assert len(one) == 3
    del one, two
    assert budget.used == 0


def test_what_others_are_told_is_bounded_too() -> None:
    series = SeriesSet(SeriesBudget(8 * (64 + 64)), 0, shared=True)
    series.admit(packed(*spread(48)))
    assert len(unpacked(series.take_fresh())) == 48
    for generation in (1, 2):
        series.advance(generation)
        series.admit(packed(*spread(48)))
    assert len(unpacked(series.take_fresh())) == 64
    assert series.unshared == 32


def test_threads_admit_exactly_the_limit() -> None:
    series = SeriesSet(SeriesBudget(PLENTY), 0, limit=10_000, shared=True)
    hashes = spread(40_000)

    def write(seed: int) -> None:
        mine = random.Random(seed).sample(hashes, len(hashes))
        for at in range(0, len(mine), 500):
            series.admit(packed(*mine[at : at + 500]))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(series) == 10_000
    told = unpacked(series.take_fresh())
    assert len(told) == len(set(told)) == 10_000
    assert series.admit(packed(*told)) == 10_000
    assert series.admit(packed(*(set(hashes) - set(told)))) == 0


def test_a_generation_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="generation"):
        SeriesSet(SeriesBudget(PLENTY), -1)
