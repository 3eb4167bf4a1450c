"""Label matchers as Prometheus has them: a missing label is the empty string, regexes are RE2 and fully anchored."""

import enum
from collections.abc import Sequence
from typing import Any

import re2

from forebay.errors import InvalidData
from tsdb.chunk import Labels

_OPTIONS = re2.Options()
_OPTIONS.dot_nl = True  # Prometheus compiles "^(?s:PATTERN)$"
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 2 << 20  # of one pattern; a thousand names of 40 letters fit, and compiling stays below 0.1 s
_OPTIONS.never_capture = True  # or matching takes memory by the square of the number of groups
_SHOWN = 200


class MatchType(enum.IntEnum):
    """Numbers as in `prometheus.LabelMatcher.Type`."""

    EQUAL = 0
    NOT_EQUAL = 1
    REGEX = 2
    NOT_REGEX = 3


class Matcher:
    """One condition on one label."""

    def __init__(self, kind: MatchType, name: bytes, value: bytes) -> None:
        """Raises InvalidData where the pattern is not RE2 or too large."""
        self.kind = kind
        self.name = name
        self.value = value
        self.pattern_size = 0
        """Instructions of the compiled pattern; 0 where there is none."""
        self._pattern: Any = None
        if kind in {MatchType.REGEX, MatchType.NOT_REGEX}:
            try:
                self._pattern = re2.compile(value, _OPTIONS)
            except re2.error as error:
                reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
                raise InvalidData(f"matcher pattern is not RE2: label={_short(name)} error={_short(reason)}") from error
            finally:
                re2.purge()  # the module would keep the last 128 patterns with all the memory they have come to hold
            self.pattern_size = self._pattern.programsize

    def matches(self, value: bytes) -> bool:
        """Whether a series passes whose label has this value; `b""` where it lacks the label."""
        if self._pattern is None:
            return (value == self.value) is (self.kind is MatchType.EQUAL)
        return (self._pattern.fullmatch(value) is not None) is (self.kind is MatchType.REGEX)

    def __repr__(self) -> str:
        sign = ("=", "!=", "=~", "!~")[self.kind]
        return f"{self.name.decode(errors='replace')}{sign}{self.value.decode(errors='replace')!r}"


def _short(text: bytes | str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN])


def matches_all(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Whether a label set passes every matcher."""
    values = dict(labels)
    return all(matcher.matches(values.get(matcher.name, b"")) for matcher in matchers)
