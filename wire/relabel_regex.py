"""A relabel rule's regex: RE2 over the whole value, as Prometheus compiles `^(?s:PATTERN)$`.

RE2 takes a microsecond and the GIL for each value. Most patterns of real rules are words, alternatives and
`.*`, which the kernel matches by itself: `branches` takes such a pattern apart.
"""

import re
import string
from typing import Any, NamedTuple

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20  # of one pattern; RE2's default
_GROUP = re.compile(r"\(\?P?<([^>]*)>")
_PLAIN = re.compile(r"[^\\.+*?()|\[\]{}^$]+")
_ESCAPED = frozenset(string.punctuation)
_MAX_BRANCHES = 2000

EXACT, ANY, SOME, INSIDE = 0, 1, 2, 3
"""What stands between a branch's prefix and suffix: nothing, `.*`, `.+`; or `.*` on both sides of the prefix."""


class Span(NamedTuple):
    """Where a group lies in the value; an offset below 0 counts from the end, where ~0 is the end itself."""

    start: int
    end: int


class Branch(NamedTuple):
    """One alternative of a simple pattern."""

    wild: int
    prefix: bytes
    suffix: bytes
    spans: tuple[Span | None, ...]
    """By number of the group, the whole value first; None for one that takes no part."""


class AnchoredRegex:
    """Safe to use from several threads."""

    def __init__(self, pattern: str) -> None:
        """Raises ValueError where Prometheus would not take the pattern."""
        names = _GROUP.findall(pattern)
        problem = ""
        if _has_byte_escape(pattern):
            problem = "invalid escape sequence: \\C"
        elif not all(name.isascii() for name in names):
            problem = "a group's name must be ASCII"
        elif len(set(names)) != len(names):
            problem = "two groups of one name"
        # Alone, too: `a)|(b` would be closed by the anchors and then not be anchored.
        alone = _compiled(pattern)
        if isinstance(alone, str):
            problem = problem or alone
        self._regex = _compiled(f"^(?s:{pattern})$")
        if isinstance(self._regex, str):
            problem = problem or self._regex
        if problem:
            raise ValueError(f"regex is not RE2: {problem}")
        self.pattern = pattern
        groups = {number: name.decode() for name, number in self._regex.groupindex.items()}
        self.names = tuple(groups.get(number, "") for number in range(self._regex.groups + 1))
        """Of its groups; the whole match and groups without a name are empty."""

    def groups(self, value: bytes) -> list[bytes] | None:
        """What the whole and each group matched, nothing where a group took no part; None where it does not match."""
        match = self._regex.search(value)
        if match is None:
            return None
        return [match.group(), *match.groups(default=b"")]


def _compiled(pattern: str) -> Any:
    """The regex, or why there is none."""
    try:
        return re2.compile(pattern.encode(), _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    finally:
        re2.purge()  # the module would keep the last 128 patterns with all the memory they have come to hold


def _has_byte_escape(pattern: str) -> bool:
    r"""`\C` is a single byte to RE2 and unknown to Go; it would split letters."""
    return any(escape[1] == "C" for escape in re.findall(r"\\.", pattern, re.DOTALL))


def branches(pattern: str, *, captures: bool) -> list[Branch] | None:
    """The alternatives of a simple pattern in the order in which RE2 prefers them; None where it is not simple.

    Simple is what consists of text, groups, `|`, and at most one `.*` or `.+` in a row of them. Without `captures`,
    spans of groups are not asked for.
    """
    try:
        return [_branch(row, captures=captures) for row in _Parser(pattern).rows()]
    except _NotSimpleError:
        return None


class _NotSimpleError(Exception):
    pass


class _Mark(NamedTuple):
    group: int
    opens: bool


_Row = tuple[str | int | _Mark, ...]
"""Text, ANY or SOME, and where groups begin and end."""


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = 0

    def rows(self) -> list[_Row]:
        rows = self._alternatives()
        if self._at < len(self._pattern):
            raise _NotSimpleError
        return rows

    def _alternatives(self) -> list[_Row]:
        rows = self._sequence()
        while self._next("|"):
            rows += self._sequence()
        return rows

    def _sequence(self) -> list[_Row]:
        rows: list[_Row] = [()]
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            pieces = self._piece()
            if self._at < len(self._pattern) and self._pattern[self._at] in "*+?{":
                raise _NotSimpleError
            if len(rows) * len(pieces) > _MAX_BRANCHES:
                raise _NotSimpleError
            rows = [row + piece for row in rows for piece in pieces]
        return rows

    def _piece(self) -> list[_Row]:
        for text, piece in ((".*", ANY), (".+", SOME)):
            if self._next(text):
                return [(piece,)]
        if self._next("("):
            return self._group()
        plain = _PLAIN.match(self._pattern, self._at)
        if plain:  # what repeats its last letter makes all of it not simple
            self._at = plain.end()
            return [(plain.group(),)]
        if self._pattern[self._at] != "\\" or self._pattern[self._at + 1 : self._at + 2] not in _ESCAPED:
            raise _NotSimpleError
        self._at += 2
        return [(self._pattern[self._at - 1],)]

    def _group(self) -> list[_Row]:
        group = 0
        if not self._next("?:"):
            named = re.compile(r"\?P?<\w+>").match(self._pattern, self._at)
            if named:
                self._at = named.end()
            elif self._next("?"):
                raise _NotSimpleError
            self._groups += 1
            group = self._groups
        rows = self._alternatives()
        if not self._next(")"):
            raise _NotSimpleError
        return [(_Mark(group, True), *row, _Mark(group, False)) for row in rows] if group else rows

    def _next(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) * found
        return found


def _branch(row: _Row, *, captures: bool) -> Branch:
    """Marks before the wild piece count from the start, those behind it from the end."""
    texts = ["", ""]
    wilds = [piece for piece in row if isinstance(piece, int)]
    if len(wilds) == 2 and not captures:
        return _inside(row, wilds)
    if len(wilds) > 1:
        raise _NotSimpleError
    rests = [piece for piece in row if isinstance(piece, str)]
    starts: dict[int, int] = {}
    spans: dict[int, Span] = {0: Span(0, ~0)}
    side = 0
    suffix_size = len("".join(rests[_texts_before(row) :]).encode())
    for piece in row:
        if isinstance(piece, str):
            texts[side] += piece
        elif isinstance(piece, int):
            side = 1
        else:
            size = len(texts[side].encode())
            offset = ~(suffix_size - size) if side else size
            if piece.opens:
                starts[piece.group] = offset
            else:
                spans[piece.group] = Span(starts[piece.group], offset)
    count = max(spans) + 1
    return Branch(
        wilds[0] if wilds else EXACT, texts[0].encode(), texts[1].encode(), tuple(spans.get(n) for n in range(count))
    )


def _texts_before(row: _Row) -> int:
    """Texts in front of the wild piece."""
    found = 0
    for piece in row:
        if isinstance(piece, int):
            break
        found += isinstance(piece, str)
    return found


def _inside(row: _Row, wilds: list[int]) -> Branch:
    pieces = [piece for piece in row if not isinstance(piece, _Mark)]
    if wilds != [ANY, ANY] or pieces[0] != ANY or pieces[-1] != ANY or len(pieces) < 3:
        raise _NotSimpleError
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    return Branch(INSIDE, text.encode(), b"", (Span(0, ~0),))
