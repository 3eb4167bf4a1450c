"""What the patterns of one request may cost."""

import pytest

from forebay.errors import InvalidData
from query.patterns import MAX_PATTERNS, PatternBudget


def test_equalities_cost_nothing_and_patterns_are_counted_over_all_queries() -> None:
    budget = PatternBudget()
    assert len(budget.compile([(0, b"a", b"b"), (1, b"a", b"b")] * 400)) == 800
    budget.compile([(2, b"a", b"b.*"), (3, b"a", b"c.*")] * (MAX_PATTERNS // 2))
    with pytest.raises(InvalidData, match="too many patterns"):
        budget.compile([(2, b"a", b"b.*")])


def test_a_thousand_names_fit_and_large_classes_do_not() -> None:
    budget = PatternBudget()
    budget.compile([(2, b"instance", b"|".join(b"host-%04d.example.org:9100-%020d" % (n, n) for n in range(1000)))])
    with pytest.raises(InvalidData, match="too large together"):
        budget.compile([(2, b"a", rb"\pL{60}")] * 20)


def test_a_pattern_with_thousands_of_groups_matches_in_little_memory() -> None:
    (matcher,) = PatternBudget().compile([(2, b"a", b"(" * 5000 + b"x*" + b")" * 5000)])
    assert matcher.matches(b"x" * 10_000)
    assert not matcher.matches(b"x" * 10_000 + b"y")
