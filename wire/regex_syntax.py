"""The part of RE2's syntax that most rules keep to, as a tree over bytes; what is beyond it is left to RE2 itself.

Values are UTF-8, so a letter beyond ASCII is any sequence that begins with one of its lead bytes: no class may tell two
such letters apart.
"""

import re
import string
from typing import NamedTuple

MAX_REPEAT = 50
MAX_PATTERN = 8192
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": "\t\n\f\r "}
_ASCII = (1 << 128) - 1
_REPEAT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_NAMED = re.compile(r"\?P?<\w+>")


class UnknownSyntaxError(Exception):
    """Not of this part."""


class Byte(NamedTuple):
    """One byte of a set; bit n is byte n."""

    mask: int


class Row(NamedTuple):
    parts: "tuple[Tree, ...]"


class Choice(NamedTuple):
    parts: "tuple[Tree, ...]"


class Group(NamedTuple):
    number: int
    part: "Tree"


class Repeat(NamedTuple):
    part: "Tree"
    least: int
    most: int | None


Tree = Byte | Row | Choice | Group | Repeat


def _range(first: int, last: int) -> Byte:
    return Byte((1 << (last + 1)) - (1 << first))


_TAIL = _range(0x80, 0xBF)
_BEYOND_ASCII = (
    Row((_range(0xC2, 0xDF), _TAIL)),
    Row((_range(0xE0, 0xEF), _TAIL, _TAIL)),
    Row((_range(0xF0, 0xF4), _TAIL, _TAIL, _TAIL)),
)


def parse(pattern: str) -> Tree:
    """Raises UnknownSyntaxError. The pattern must be one that RE2 takes."""
    if len(pattern) > MAX_PATTERN:
        raise UnknownSyntaxError
    return _Parser(pattern).whole()


def _mask_of(chars: str) -> int:
    return sum(1 << ord(char) for char in set(chars))


def _letter(mask: int, *, beyond: bool) -> Tree:
    """One letter of a set of ASCII ones, or any beyond them."""
    return Choice((Byte(mask), *_BEYOND_ASCII)) if beyond else Byte(mask)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = 0

    def whole(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._pattern):
            raise UnknownSyntaxError
        return tree

    def _choice(self) -> Tree:
        parts = [self._row()]
        while self._next("|"):
            parts.append(self._row())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _row(self) -> Tree:
        parts: list[Tree] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            part = self._piece()
            while (repeated := self._repeated(part)) is not None:
                part = repeated
            parts.append(part)
        return Row(tuple(parts))

    def _repeated(self, part: Tree) -> Tree | None:
        """A preference for few is read and forgotten: what it changes is not asked for here."""
        for sign, least, most in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
            if self._next(sign):
                self._next("?")
                return Repeat(part, least, most)
        if not self._pattern.startswith("{", self._at):
            return None
        found = _REPEAT.match(self._pattern, self._at)
        if not found:
            raise UnknownSyntaxError
        self._at = found.end()
        self._next("?")
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if max(least, most or 0) > MAX_REPEAT:
            raise UnknownSyntaxError
        return Repeat(part, least, most)

    def _piece(self) -> Tree:
        char = self._pattern[self._at]
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == ".":
            return _letter(_ASCII, beyond=True)
        if char == "\\":
            escaped = self._pattern[self._at]
            self._at += 1
            if escaped.lower() in _CLASSES:
                mask = _mask_of(_CLASSES[escaped.lower()])
                return _letter(_ASCII & ~mask, beyond=True) if escaped.isupper() else Byte(mask)
            char = self._escaped(escaped)
        elif char in "^${}]*+?":
            raise UnknownSyntaxError
        return Row(tuple(Byte(1 << byte) for byte in char.encode()))

    def _escaped(self, char: str) -> str:
        if char in string.punctuation:
            return char
        if char in _ESCAPES:
            return _ESCAPES[char]
        raise UnknownSyntaxError

    def _group(self) -> Tree:
        if self._next("?:"):
            number = 0
        else:
            named = _NAMED.match(self._pattern, self._at)
            if named:
                self._at = named.end()
            elif self._next("?"):
                raise UnknownSyntaxError
            self._groups += 1
            number = self._groups
        part = self._choice()
        if not self._next(")"):
            raise UnknownSyntaxError
        return Group(number, part) if number else part

    def _set(self) -> Tree:
        negated = self._next("^")
        mask = 0
        first = True
        while first or not self._next("]"):
            first = False
            low = self._set_letter()
            if isinstance(low, int):
                mask |= low
                continue
            high: int | str = low
            if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at):
                self._at += 1
                high = self._set_letter()
            if not isinstance(high, str) or not (low + high).isascii() or low > high:
                raise UnknownSyntaxError
            mask |= _range(ord(low), ord(high)).mask
        return _letter(_ASCII & ~mask, beyond=True) if negated else Byte(mask)

    def _set_letter(self) -> str | int:
        """A letter, or the mask of a class."""
        char = self._pattern[self._at]
        self._at += 1
        if char == "[" and self._pattern.startswith(":", self._at):
            raise UnknownSyntaxError
        if char != "\\":
            return char
        char = self._pattern[self._at]
        self._at += 1
        return _mask_of(_CLASSES[char]) if char in _CLASSES else self._escaped(char)

    def _next(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) * found
        return found
