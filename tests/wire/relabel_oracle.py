"""Relabelling the slow way: dictionaries, and RE2 for every value."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from wire.relabel import Rule

Pairs = list[tuple[bytes, bytes]]
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


class LabelBuilder:
    """What was there, then what was set, in the order in which it came."""

    def __init__(self, labels: Iterable[tuple[bytes, bytes]]) -> None:
        self.base = dict(sorted(labels))
        self.added: dict[bytes, bytes] = {}

    def get(self, name: str) -> bytes:
        return self.added.get(name.encode(), self.base.get(name.encode(), b""))

    def set(self, name: bytes, value: bytes) -> None:
        self.base.pop(name, None)
        if value:
            self.added[name] = value
        else:
            self.added.pop(name, None)

    def all(self) -> Pairs:
        return [*self.base.items(), *self.added.items()]


@dataclass
class _Regex:
    pattern: str

    def groups(self, value: bytes) -> Any:
        options = re2.Options()
        options.dot_nl = True
        options.log_errors = False
        return re2.compile(self.pattern.encode(), options).fullmatch(value)


def _expanded(template: str, match: Any) -> bytes:
    def found(variable: re.Match[str]) -> str:
        dollar, *names = variable.groups()
        if dollar:
            return "$"
        name = names[0] or names[1]
        number = int(name) if re.fullmatch("0|[1-9][0-9]{0,8}", name) else match.re.groupindex.get(name.encode(), -1)
        if not 0 <= number <= match.re.groups:
            return ""
        return (match[number] or b"").decode()

    return _VARIABLE.sub(found, template).encode()


def relabel(rules: "Sequence[Rule]", labels: Iterable[tuple[bytes, bytes]]) -> Pairs | None:
    builder = LabelBuilder(labels)
    return sorted(builder.all()) if all(_apply(rule, builder) for rule in rules) else None


def _apply(rule: "Rule", builder: LabelBuilder) -> bool:
    value = rule.separator.encode().join(builder.get(name) for name in rule.source_labels)
    target = rule.target_label.encode()
    match = _Regex(rule.regex).groups(value)
    if rule.action in {"keep", "drop"}:
        return (match is not None) == (rule.action == "keep")
    if rule.action in {"keepequal", "dropequal"}:
        return (builder.get(rule.target_label) == value) == (rule.action == "keepequal")
    if rule.action == "lowercase":
        builder.set(target, "".join(map(_lower, value.decode())).encode())
    elif rule.action == "uppercase":
        builder.set(target, "".join(map(_upper, value.decode())).encode())
    elif rule.action == "hashmod":
        number = int.from_bytes(hashlib.md5(value).digest()[8:], "big")
        builder.set(target, str(number % rule.modulus).encode())
    elif rule.action == "replace":
        if match is not None and (name := _expanded(rule.target_label, match)):
            builder.set(name, _expanded(rule.replacement, match))
    else:
        _each(rule, builder)
    return True


def _each(rule: "Rule", builder: LabelBuilder) -> None:
    for name, value in builder.all():
        match = _Regex(rule.regex).groups(name)
        if rule.action == "labelmap":
            if match is not None:
                builder.set(_expanded(rule.replacement, match), value)
        elif (match is not None) == (rule.action == "labeldrop"):
            builder.set(name, b"")


def _lower(char: str) -> str:
    return {"İ": "i"}.get(char, char.lower())


def _upper(char: str) -> str:
    return char.upper() if len(char.upper()) == 1 else char
