"""Automata against RE2: the same patterns, drawn of all that they are made for, over values that nearly match."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_relabel import relabel
from wire.automaton import Automaton, finder, matcher
from wire.relabel_regex import AnchoredRegex

LETTERS = st.sampled_from(["a", "b", "c", "-", "1", "é", "\n", "\\.", "\\d", "\\w", "\\S", "\\W", ".", "[ab]", "[^a]"])
CLASSES = st.sampled_from(["[a-c1-3]", "[^-b]", "[]a]", "[^]a]", "[\\d-]", "[b-]", "[-\\w]", "[a\\]]", "[^\\n\\s]"])
REPEATS = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{0}"])


def _grown(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(part, part).map("".join),
        st.tuples(part, part).map("|".join).map("({})".format),
        st.tuples(part, part).map("|".join).map("(?:{})".format),
        part.map("({})".format),
        part.map("(?P<n>{})".format),
        st.tuples(part.map("(?:{})".format), REPEATS).map("".join),
        st.tuples(LETTERS | CLASSES, REPEATS).map("".join),
    )


patterns = st.recursive(LETTERS | CLASSES, _grown, max_leaves=8).filter(lambda text: text.count("(?P<n>") < 2)
values = st.text("abc-1é\n.x ü𝄞", max_size=8)


def walked(automaton: Automaton, value: bytes) -> list[bytes] | None:
    """What the kernel does, the slow way."""
    state, ends = 1, [-1] * 32
    for at, byte in enumerate(value):
        cell = state * automaton.width + automaton.classes[byte]
        _mark(ends, automaton.marks[cell] if automaton.marks else 0, at)
        state = automaton.next[cell]
    if not automaton.accepts[state]:
        return None
    _mark(ends, automaton.accepts[state] >> 1, len(value))
    return [value[begin:end] if begin >= 0 else b"" for begin, end in zip(ends[2::2], ends[3::2], strict=True)]


def _mark(ends: list[int], marks: int, at: int) -> None:
    for number in range(32):
        if marks >> number & 1:
            ends[number] = at


@settings(max_examples=1200, deadline=None)
@given(patterns, st.lists(values, min_size=1, max_size=6))
def test_automata_say_what_re2_says(pattern: str, given_values: list[str]) -> None:
    regex = AnchoredRegex(pattern)
    says, finds = matcher(pattern), finder(pattern)
    assert says is not None
    for value in (text.encode() for text in given_values):
        groups = regex.groups(value)
        assert (walked(says, value) is not None) == (groups is not None)
        if finds is not None:
            found = walked(finds, value)
            assert (None if found is None else found[: len(regex.names) - 1]) == (
                None if groups is None else groups[1:]
            )


@settings(max_examples=600, deadline=None)
@given(patterns, st.lists(values.filter(bool), min_size=1, max_size=6))
def test_the_kernel_says_what_re2_says(pattern: str, given_values: list[str]) -> None:
    regex = AnchoredRegex(pattern)
    template = "|".join(f"${{{number}}}" for number in range(len(regex.names)))
    find = {"source_labels": ["a"], "regex": pattern, "target_label": "b", "replacement": template}
    match = {"source_labels": ["a"], "regex": pattern, "target_label": "c", "replacement": "yes"}
    for value in given_values:
        groups = regex.groups(value.encode())
        left = relabel({"a": value}, find, match)
        assert left is not None
        assert left.get("b") == (None if groups is None else b"|".join(groups).decode() or None)
        assert ("c" in left) == (groups is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        "([^:]+):(\\d+)",
        "legacy-([a-z]+)-[0-9]+",
        "([^.]+)\\..*",
        "(?:(a)|b)*c",
        "(\\w+)-(\\w+)",
        "(é|a)+",
        "([a-z]{2,4})1?",
    ],
)
def test_groups_are_found_where_no_byte_leaves_a_choice(pattern: str) -> None:
    assert finder(pattern) is not None


@pytest.mark.parametrize(
    "pattern", ["(.*)a(.*)", "(a|ab)(c|bcd)", "(a*)*", "(\\w+)([a-z])", "(a?)(a?)", "(" * 15 + "a" + ")" * 15]
)
def test_where_one_does_re2_is_asked(pattern: str) -> None:
    assert finder(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "a\\b", "^a", "a$", "[[:alpha:]]", "\\pN", "[é]", "[a-é]", "\\x41", "\\Qa\\E", "a{51}", "a{,2}", "[\\D]"],
)
def test_what_is_left_to_re2(pattern: str) -> None:
    assert matcher(pattern) is None
    assert finder(pattern) is None


def test_tables_are_bounded() -> None:
    assert matcher("(a|b)*a(a|b){14}") is None
    assert matcher("((a{50}){50}){50}") is None
    assert matcher("(a|b)*a(a|b){5}") is not None
