"""Rules and label sets to draw from: few names and values, so that rules meet what they are about."""

from typing import Any

from hypothesis import strategies as st

from gateway.relabel import RelabelRule

NAMES = ["__name__", "a", "b", "c", "__tmp_x", "é", "a_b", "job"]
WORDS = ["", "a", "b", "foo", "foobar", "barfoo", "Foo Bär", "a;b", "x\ny", "10.0.0.1:9100", "node", "ab", "é", "aab"]
PATTERNS = [
    *("(.*)", ".*", ".+", "(.+)", "", "foo", "foo.*", ".*foo", "foo|bar", "(foo|bar).*", "(a|ab)(b|.*)", "f(.*)r"),
    *("(f.*)|(a)", ".*o.*", "(.*)o(.*)", "([^:]+):(\\d+)", "(?i)foo", "a+", "(a)?b", "(?P<first>.)(?P<rest>.*)"),
    *("(?:x|y)\n.", "[a-f]+", "(a*)(b*)", "é.*", ".*é", "(.*);(.*)", "10\\.0\\.0\\.1:(.+)", "__(.*)", "(__name__|job)"),
    *("a|b|c|d|e|f|g|h|foo|i|node|(job)|.*Bär", "a|ab|aab|a.*", "(x)|(y)|(.*)b", "()", "(|a)b?", "(a(b|c)?)(.*)"),
    *("(?s:.)", "\\Qa;b\\E", "^foo$", "((.*)o)+"),
]
TEMPLATES = [
    *(
        "$1",
        "${1}",
        "$2$1",
        "x",
        "",
        "$0",
        "${first}-${rest}",
        "$1x",
        "$first",
        "${1}x",
        "$$1",
        "a$",
        "${",
        "${1",
        "$10",
    ),
    *("$01", "é$1", "${é}", "__$1", "$-1", "a b$2", "$1:$2", "${1}_$2"),
]

names = st.sampled_from(NAMES)
patterns = st.sampled_from(PATTERNS)
values = st.sampled_from(WORDS) | st.text("abfoéB;:1\n", max_size=6)
label_sets = st.dictionaries(names | st.text("ab_fo", min_size=1, max_size=3), values.filter(bool), max_size=7)
sources = st.lists(names, max_size=3)


def _rule(action: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"action": st.just(action)}, optional=fields)


_matched = {"source_labels": sources, "separator": st.sampled_from([";", "", "a", "é;"]), "regex": patterns}
_targets = names.map(lambda name: {"target_label": name})
_modulus = st.sampled_from([1, 2, 7, 1000, 2**64 - 1])


def _with(rule: st.SearchStrategy[dict[str, Any]], more: st.SearchStrategy[dict[str, Any]]) -> Any:
    return st.tuples(rule, more).map(lambda both: {**both[0], **both[1]})


rules = st.one_of(
    _with(
        _rule("replace", **_matched, replacement=st.sampled_from(TEMPLATES)),
        _targets | st.sampled_from(TEMPLATES).filter(bool).map(lambda template: {"target_label": template}),
    ),
    _rule("keep", **_matched),
    _rule("drop", **_matched),
    _with(_rule("keepequal", source_labels=sources), _targets),
    _with(_rule("dropequal", source_labels=sources), _targets),
    _with(
        _rule("hashmod", **_matched), st.tuples(_targets, _modulus).map(lambda both: {**both[0], "modulus": both[1]})
    ),
    _with(_rule("lowercase", **_matched), _targets),
    _with(_rule("uppercase", **_matched), _targets),
    _rule("labelmap", regex=patterns, replacement=st.sampled_from(TEMPLATES).filter(bool)),
    _rule("labeldrop", regex=patterns),
    _rule("labelkeep", regex=patterns),
)
rule_lists = st.lists(rules, min_size=1, max_size=5)


def made(drawn: list[dict[str, Any]]) -> list[RelabelRule]:
    return [RelabelRule(**{**rule, "source_labels": tuple(rule.get("source_labels", ()))}) for rule in drawn]
