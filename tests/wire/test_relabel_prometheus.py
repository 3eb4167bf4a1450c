"""Rules against Prometheus' own code: the same lists over the same series, and what it refuses."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.relabel import RelabelRule
from tests.peers.recipes import Recipe
from tests.wire.relabel_cases import label_sets, made, rule_lists
from wire.letter_case import lowercase, uppercase
from wire.relabel import RelabelRules

Ask = Callable[[list[tuple[list[dict[str, Any]], list[dict[str, str]]]]], list[dict[str, Any]]]

pytestmark = pytest.mark.peer("prometheus-relabel")
CASES = 2500


@pytest.fixture(scope="module")
def program(peer: Callable[[str], Recipe]) -> Path:
    return peer("prometheus-relabel").program("relabel")


def ask(program: Path, questions: list[tuple[list[dict[str, Any]], list[dict[str, str]]]]) -> list[dict[str, Any]]:
    """What Prometheus makes of each list of rules over its series."""
    lines = [
        json.dumps(
            {"rules": yaml.safe_dump(rules, allow_unicode=True), "series": [list(each.items()) for each in series]}
        )
        for rules, series in questions
    ]
    result = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def drawn(count: int) -> list[tuple[list[dict[str, Any]], list[dict[str, str]]]]:
    found = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(rule_lists, st.lists(label_sets, min_size=1, max_size=3))
    def draw(rules: list[dict[str, Any]], series: list[dict[str, str]]) -> None:
        found.append((rules, series))

    draw()
    return found


@pytest.mark.slow
def test_rules_do_what_prometheus_does(program: Path) -> None:
    questions = drawn(CASES)
    assert len(questions) > CASES // 2
    changed = dropped = 0
    for (rules, series), said in zip(questions, ask(program, questions), strict=True):
        assert "error" not in said, (rules, said)
        compiled = RelabelRules(made(rules))
        for labels, expected in zip(series, said["results"], strict=True):
            left = compiled.apply((name.encode(), value.encode()) for name, value in labels.items())
            found = None if left is None else [[name.decode(), value.decode()] for name, value in left]
            assert found == expected, (rules, labels)
            changed += found is not None and found != sorted(map(list, labels.items()))
            dropped += found is None
    assert min(changed, dropped) > CASES // 20


def test_every_letter_changes_case_as_in_prometheus(program: Path) -> None:
    letters = [chr(code) for code in range(128, 0x110000) if not 0xD800 <= code < 0xE000 and chr(code).isprintable()]
    rules = [
        {"action": action, "source_labels": ["a"], "target_label": action} for action in ("lowercase", "uppercase")
    ]
    (said,) = ask(program, [(rules, [{"a": letter} for letter in letters])])
    for letter, labels in zip(letters, said["results"], strict=True):
        assert dict(labels) == {"a": letter, "lowercase": lowercase(letter), "uppercase": uppercase(letter)}


WRONG: list[dict[str, Any]] = [
    {"action": "delete", "target_label": "a"},
    {"action": "", "target_label": "a"},
    {"action": "replace"},
    {"action": "hashmod", "target_label": "a"},
    {"action": "hashmod", "modulus": 7},
    {"action": "hashmod", "modulus": -1, "target_label": "a"},
    {"action": "lowercase"},
    {"action": "lowercase", "target_label": "a", "replacement": "x"},
    {"action": "keepequal", "target_label": "a", "separator": ","},
    {"action": "dropequal", "target_label": "a", "regex": "x"},
    {"action": "dropequal"},
    {"action": "labelmap", "replacement": ""},
    {"action": "labeldrop", "regex": "a", "source_labels": ["b"]},
    {"action": "labelkeep", "regex": "a", "target_label": "b"},
    {"action": "labelkeep", "regex": "a", "replacement": "b"},
    {"action": "labelkeep", "regex": "a", "modulus": 2},
    {"action": "drop", "regex": "("},
    {"action": "drop", "regex": "a\\Cb"},
    {"action": "drop", "regex": "a**"},
    {"action": "drop", "regex": "\\Qa"},
    {"action": "drop", "regex": "(?=a)"},
    {"action": "drop", "regex": "(?P<é>a)"},
    {"action": "drop", "source_labels": [""]},
    {"action": "drop", "extra": 1},
]
RIGHT: list[dict[str, Any]] = [
    {"action": "Replace", "target_label": "a"},
    {"action": "DROP", "regex": "x"},
    {"target_label": "é ü"},
    {"target_label": "${1}_$"},
    {"action": "hashmod", "target_label": "$1", "modulus": 2**64 - 1},
    {"action": "labelmap", "replacement": "$$"},
    {"action": "labeldrop", "regex": "a", "separator": ";"},
    {"action": "keepequal", "target_label": "a"},
    {"action": "keep", "modulus": 3, "target_label": "", "replacement": ""},
    {"action": "drop", "regex": "(?<n>a)\\x{10FFFF}"},
]


@pytest.mark.parametrize("rule", [*WRONG, *RIGHT], ids=str)
def test_what_prometheus_refuses_is_refused(program: Path, rule: dict[str, Any]) -> None:
    (said,) = ask(program, [([rule], [])])
    assert bool(said.get("error")) == (rule in WRONG)
    if rule in RIGHT:
        assert len(RelabelRules(made([rule]))) == 1
    else:
        with pytest.raises((ValueError, TypeError)):
            made([rule])


def test_a_rule_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match=r"regex is not RE2: missing \): "):
        RelabelRule(regex="(", target_label="a")
