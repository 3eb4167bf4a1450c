"""What the regular expressions of one request may cost: matching is linear, but compiling is not free."""

from collections.abc import Iterable

from forebay.errors import InvalidData
from tsdb.matcher import Matcher, MatchType

MAX_PATTERNS = 100
MAX_SIZE = 400_000
r"""In instructions, some 16 bytes and a microsecond each: a letter is one or two, `\pL` a thousand."""
_PATTERNS = {MatchType.REGEX, MatchType.NOT_REGEX}


class PatternBudget:
    """One request's; Prometheus itself sends one query a request, with a handful of matchers."""

    def __init__(self) -> None:
        self._patterns = 0
        self._size = 0

    def compile(self, matchers: Iterable[tuple[int, bytes, bytes]]) -> list[Matcher]:
        """Raises InvalidData where a pattern is not RE2, or all so far are too many or too large."""
        return [self._matcher(MatchType(kind), name, value) for kind, name, value in matchers]

    def _matcher(self, kind: MatchType, name: bytes, value: bytes) -> Matcher:
        if kind in _PATTERNS:
            self._patterns += 1
            if self._patterns > MAX_PATTERNS:
                raise InvalidData(f"too many patterns in a read request: limit={MAX_PATTERNS}", hint="ask in several")
        matcher = Matcher(kind, name, value)
        self._size += matcher.pattern_size
        if self._size > MAX_SIZE:
            raise InvalidData(
                f"patterns of a read request are too large together: instructions={self._size} limit={MAX_SIZE}",
                hint="shorten them, or ask in several requests",
            )
        return matcher
