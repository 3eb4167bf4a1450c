"""Relabel rules under hostile series: every action, patterns with and without RE2, and a memo that is full soon."""

import contextlib
from dataclasses import dataclass
from typing import Any

from forebay.errors import InvalidData
from tests.fuzz import corpus
from tests.fuzz.entry import Entry, Target, exactly
from tests.wire.requests_v2 import as_v2
from wire.relabel import RelabelMemos, RelabelRules
from wire.write_request import Router

_SEED = 7
_AGE = 3_600_000


@dataclass(frozen=True)
class _Rule:
    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    modulus: int = 0
    target_label: str = ""
    replacement: str = "$1"


_SIMPLE = [
    _Rule(source_labels=("instance", "job"), regex="(.*)00;(.+)", target_label="$2", replacement="$1-${2}_$0"),
    _Rule(source_labels=("job",), regex="node|(x.*)|.*y", target_label="job", replacement="a$1"),
    _Rule("labelmap", regex="(.*)e", replacement="$1"),
    _Rule("lowercase", ("zone", "__name__"), target_label="zone"),
    _Rule("hashmod", ("instance",), modulus=1000, target_label="shard"),
    _Rule("keepequal", ("empty",), target_label="nothing"),
    _Rule("dropequal", ("job",), target_label="instance"),
    _Rule("drop", ("job",), regex="|".join(f"word{n}" for n in range(20)) + "|.*drop.*"),
]
_BY_REGEX = [
    _Rule("keep", ("__name__", "job"), regex="[a-zA-Z_:;]*|[^h]+.*"),
    _Rule(source_labels=("instance",), regex="([^:]+)(?::(\\d+))?", target_label="h${2}", replacement="$1"),
    _Rule("uppercase", ("zone",), target_label="ZONE"),
    _Rule("labelmap", regex="_*([a-z]+)_*", replacement="${1}x"),
    _Rule("labeldrop", regex="z{2}|[p-q].*"),
    _Rule("labelkeep", regex="[^\\x{e9}]*"),
]


def _target(rules: list[_Rule], message: int, **settings: Any) -> Target:
    plain = Router(7, **settings)
    router = Router(7, relabel=RelabelRules(rules, RelabelMemos(1 << 16)), **settings)

    def target(data: memoryview) -> None:
        with contextlib.suppress(InvalidData):
            for partition, record in router.route(
                data, _SEED, corpus.NOW - _AGE, corpus.NOW + _AGE, message=message
            ).records:
                again = plain.route(exactly(record), _SEED, corpus.NOW - _AGE, corpus.NOW + _AGE)
                if again.records != [(partition, record)] or again.rejected:
                    raise AssertionError(f"a relabelled record is not canonical: {record.hex()}")

    return target


def entries() -> dict[str, Entry]:
    """Both protocols, and records so small that series are split."""
    writes = [*corpus.write_requests(), *corpus.of_replicas()]
    small = {"max_record_bytes": 400, "max_label_pairs": 9}
    return {
        "relabel": Entry(_target([*_SIMPLE, *_BY_REGEX], 1), writes),
        "relabel, small records": Entry(_target(_SIMPLE[:5], 1, **small), writes),
        "relabel 2.0": Entry(_target(_BY_REGEX, 2), [as_v2(body) for body in writes]),
    }
