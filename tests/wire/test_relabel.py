"""Rules over one series at a time, against the slow way and by example."""

import hashlib
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.relabel import RelabelRule
from tests.wire import relabel_oracle as oracle
from tests.wire.relabel_cases import label_sets, made, patterns, rule_lists, values
from wire.relabel import RelabelMemos, RelabelRules
from wire.relabel_regex import AnchoredRegex, branches


def pairs(labels: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in labels.items()]


def relabel(labels: dict[str, str], *rules: dict[str, Any]) -> dict[str, str] | None:
    left = RelabelRules(made(list(rules))).apply(pairs(labels))
    return None if left is None else {name.decode(): value.decode() for name, value in left}


@settings(max_examples=800, deadline=None)
@given(rule_lists, st.lists(label_sets, min_size=1, max_size=4))
def test_rules_do_what_the_oracle_does(drawn: list[dict[str, Any]], series: list[dict[str, str]]) -> None:
    rules = made(drawn)
    compiled = RelabelRules(rules)
    for labels in [*series, *series]:
        assert compiled.apply(pairs(labels)) == oracle.relabel(rules, pairs(labels))


@settings(max_examples=800, deadline=None)
@given(patterns, values)
def test_a_simple_pattern_matches_and_captures_as_re2_does(pattern: str, value: str) -> None:
    regex = AnchoredRegex(pattern)
    template = "|".join(f"${{{number}}}" for number in range(len(regex.names)))
    rule = {"source_labels": ["a"], "regex": pattern, "target_label": "b", "replacement": template}
    groups = regex.groups(value.encode())
    left = relabel({"a": value} if value else {}, rule)
    assert left is not None
    assert left.get("b") == (None if groups is None else b"|".join(groups).decode() or None)


@pytest.mark.parametrize(
    "pattern",
    [
        "foo",
        "",
        ".*",
        "(.+)",
        "foo|bar",
        "(foo|bar)_.*",
        "a\\.b",
        "(?:a|b)c(d)",
        "x(.*)y",
        "(a)|(b)",
        "é|.*é",
        "(?P<n>a).*",
    ],
)
def test_patterns_that_need_no_regex(pattern: str) -> None:
    assert branches(pattern, captures=True) is not None


def test_a_word_within_needs_no_regex_where_no_group_is_asked_for() -> None:
    assert branches("(.*)foo(.*)", captures=False) is not None
    assert branches("(.*)foo(.*)", captures=True) is None


@pytest.mark.parametrize(
    "pattern",
    ["a+", "[ab]", "a?", "\\d", "(?i)a", "^a", "a$", ".", ".*?", "a.*b.*", "(a.*)*", "a{2}", "((", ".*.*", "\\Qa\\E"],
)
def test_patterns_that_do(pattern: str) -> None:
    assert branches(pattern, captures=False) is None


def test_many_alternatives_are_found_by_hash() -> None:
    words = [f"metric_{n}_total" for n in range(500)]
    rules = RelabelRules(made([{"action": "drop", "source_labels": ["__name__"], "regex": "|".join(words)}]))
    assert all(rules.apply([(b"__name__", word.encode())]) is None for word in words)
    assert rules.apply([(b"__name__", b"metric_500_total")]) == [(b"__name__", b"metric_500_total")]
    assert rules.apply([(b"__name__", b"metric_50_totals")]) is not None


def test_of_equal_alternatives_the_first_one_captures() -> None:
    words = [f"(w{n})" for n in range(20)]
    rule = {
        "source_labels": ["a"],
        "regex": "|".join([*words, "w.*", *words]),
        "target_label": "b",
        "replacement": "$20-$22",
    }
    assert relabel({"a": "w19"}, rule) == {"a": "w19", "b": "w19-"}


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
def test_hashmod_takes_the_last_half_of_md5(size: int) -> None:
    value = bytes(32 + n % 90 for n in range(size)).decode()
    modulus = 2**64 - 1
    expected = int.from_bytes(hashlib.md5(value.encode()).digest()[8:], "big") % modulus
    rule = {"action": "hashmod", "source_labels": ["a"], "target_label": "b", "modulus": modulus}
    assert relabel({"a": value} if value else {}, rule) == {**({"a": value} if value else {}), "b": str(expected)}


def test_labels_for_the_time_being_stay() -> None:
    """Prometheus takes `__` labels off targets, not off what it writes."""
    left = relabel({"a": "1"}, {"source_labels": ["a"], "target_label": "__tmp_a"})
    assert left == {"a": "1", "__tmp_a": "1"}


def test_labelmap_reads_the_labels_as_they_were() -> None:
    rule = {"action": "labelmap", "regex": "(.)", "replacement": "$1$1"}
    assert relabel({"a": "1", "aa": "2"}, rule) == {"a": "1", "aa": "1"}
    assert relabel({"a": "1", "b": "2"}, {"action": "labelmap", "regex": "a|b", "replacement": "c"}) == {
        "a": "1",
        "b": "2",
        "c": "2",
    }


def test_a_set_label_comes_behind_those_that_were_there() -> None:
    both = {"action": "labelmap", "regex": "a|b", "replacement": "c"}
    left = relabel({"a": "1", "b": "2"}, {"target_label": "a", "replacement": "3"}, both)
    assert left == {"a": "3", "b": "2", "c": "3"}


def test_more_labels_than_a_series_may_come_to_have_are_refused() -> None:
    rules = RelabelRules(made([{"action": "labelmap", "regex": "(.*)", "replacement": f"x{n}$1"} for n in range(12)]))
    with pytest.raises(ValueError, match="outgrow"):
        rules.apply([(b"l%d" % n, b"v") for n in range(10)])


def test_a_memo_forgets_and_still_says_the_same() -> None:
    memos = RelabelMemos(1 << 16)
    rules = RelabelRules(
        made([{"source_labels": ["a"], "regex": "(?i)(v)([0-9]+)", "target_label": "b", "replacement": "$2"}]), memos
    )
    for _ in range(2):
        for number in range(3000):
            assert rules.apply([(b"a", b"v%d" % number)]) == [(b"a", b"v%d" % number), (b"b", b"%d" % number)]
    assert 0 < memos.idle_bytes <= 1 << 16


def test_memos_of_many_lists_stay_within_their_bound() -> None:
    memos = RelabelMemos(1 << 17)
    lists = [
        RelabelRules(made([{"source_labels": ["a"], "regex": "(?i)v[0-9]", "target_label": "b"}]), memos)
        for _ in range(40)
    ]
    for rules in lists:
        rules.apply([(b"a", b"v1")])
        assert memos.idle_bytes <= 1 << 17
    assert memos.idle_bytes > 1 << 16


def test_a_value_larger_than_a_memo_is_matched() -> None:
    rules = RelabelRules(
        made(
            [
                {"source_labels": ["a"], "regex": "(?i)(x+)y", "target_label": f"b{n}", "replacement": "$1"}
                for n in range(5)
            ]
        ),
        RelabelMemos(1000),
    )
    left = rules.apply([(b"a", b"x" * 100_000 + b"y")])
    assert left is not None
    assert left[1:] == [(b"b%d" % n, b"x" * 100_000) for n in range(5)]


def test_threads_may_share_rules() -> None:
    rules = RelabelRules(
        made([{"source_labels": ["a"], "regex": "(?i)(v)([0-9]+)", "target_label": "b", "replacement": "$2"}])
    )
    wrong: list[int] = []

    def run() -> None:
        wrong.extend(
            n for n in range(2000) if rules.apply([(b"a", b"v%d" % n)]) != [(b"a", b"v%d" % n), (b"b", b"%d" % n)]
        )

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_rules_are_not_made_twice() -> None:
    rules = RelabelRules([RelabelRule(target_label="a")])
    assert len(rules) == 1
    with pytest.raises(TypeError):
        rules.__init__([])  # type: ignore[misc]


@settings(max_examples=60, deadline=None)
@given(st.integers(30, 400), rule_lists, st.randoms(use_true_random=False))
def test_many_labels_are_found_as_few_are(count: int, drawn: list[dict[str, Any]], random: Any) -> None:
    mapped = {"action": "labelmap", "regex": "l(.)(.*)", "replacement": "l${2}$1"}
    moved = {"source_labels": ["l100"], "regex": "(.*)", "target_label": "l$1", "replacement": "set"}
    rules = made([mapped, moved, *drawn, {"action": "labeldrop", "regex": "l.*7"}, mapped, moved])
    labels = {f"l{random.randrange(1000)}": str(random.randrange(1000)) for _ in range(count)}
    assert RelabelRules(rules).apply(pairs(labels)) == oracle.relabel(rules, pairs(labels))


@pytest.mark.parametrize("regex", ["(.*)", "(?i)(.*)"])
def test_values_that_outgrow_a_record_are_refused(regex: str) -> None:
    double = {"source_labels": ["a"], "regex": regex, "target_label": "a", "replacement": "$1$1"}
    assert len(relabel({"a": "x"}, *[double] * 10)["a"]) == 1024  # type: ignore[index]
    with pytest.raises(ValueError, match="outgrow"):
        relabel({"a": "x"}, *[double] * 40)
    spread = [{**double, "target_label": f"b{n}", "replacement": "$1" * 60} for n in range(60)]
    with pytest.raises(ValueError, match="outgrow"):
        relabel({"a": "x" * 10_000}, *spread, *[{**rule, "regex": "(.*)"} for rule in spread])
