"""One relabel rule, as Prometheus' relabel_config has it."""

import msgspec

from wire.relabel import ACTIONS
from wire.relabel_regex import AnchoredRegex

_REPLACEMENT = "$1"
_WITH_TARGET = frozenset({"replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"})
_FIXED_REPLACEMENT = frozenset({"lowercase", "uppercase", "keepequal", "dropequal"})
_MAX_MODULUS = 2**64 - 1
_MAX_VARIABLES = 64
"""Of one text: what it grows to is bounded by them."""


class RelabelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a series, or to its labels. Rules of a list are carried out one after the other."""

    source_labels: tuple[str, ...] = ()
    """Labels whose values are joined and matched; one that is missing is empty."""
    separator: str = ";"
    regex: str = "(.*)"
    """RE2 that the whole value must match."""
    modulus: int = 0
    target_label: str = ""
    replacement: str = _REPLACEMENT
    action: str = "replace"
    """One of ACTIONS."""

    def __post_init__(self) -> None:
        action = self.action.lower()
        if action not in ACTIONS:
            raise ValueError(f"unknown relabel action {self.action!r}; one of {', '.join(ACTIONS)}")
        msgspec.structs.force_setattr(self, "action", action)
        if not 0 <= self.modulus <= _MAX_MODULUS:
            raise ValueError("modulus must be from 0 to 2^64 - 1")
        if not all(self.source_labels):
            raise ValueError("source_labels must not hold an empty name")
        if max(self.replacement.count("$"), self.target_label.count("$"), len(self.source_labels)) > _MAX_VARIABLES:
            raise ValueError(f"at most {_MAX_VARIABLES} source_labels, and as many $ in a text")
        self._check_fields(action)
        AnchoredRegex(self.regex)

    def _check_fields(self, action: str) -> None:
        """That there is all that the action needs, and nothing that it does not take."""
        if action == "hashmod" and not self.modulus:
            raise ValueError("hashmod requires a modulus that is not zero")
        if action in _WITH_TARGET and not self.target_label:
            raise ValueError(f"{action} requires target_label")
        if action in _FIXED_REPLACEMENT and self.replacement != _REPLACEMENT:
            raise ValueError(f"replacement cannot be set for {action}")
        if action == "labelmap" and not self.replacement:
            raise ValueError("labelmap requires a replacement that is not empty")
        if action in {"keepequal", "dropequal"} and self._others("regex", "modulus", "separator"):
            raise ValueError(f"{action} takes source_labels and target_label, and no other fields")
        if action in {"labeldrop", "labelkeep"} and self._others(
            "source_labels", "target_label", "modulus", "separator", "replacement"
        ):
            raise ValueError(f"{action} takes regex, and no other fields")

    def _others(self, *names: str) -> bool:
        """Whether one of these fields is not at its default."""
        return any(getattr(self, name) != _DEFAULTS[name] for name in names)


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(RelabelRule)}
