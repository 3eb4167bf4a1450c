"""`$1`, `${name}` and `$$` in a relabel rule's replacement, as Go's Regexp.Expand reads them."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

Part = bytes | int
"""Text as it stands, or the number of a group; 0 is the whole value."""


class _Name(NamedTuple):
    text: str
    rest: str


def parse_template(template: str, names: Sequence[str]) -> list[Part]:
    """The parts of a template for a regex whose groups have these `names` (the first is the whole's; "" has no name).

    A group that the regex does not have is nothing, and a `$` before what is no name is text.
    """
    parts: list[Part] = []
    text = ""
    while template:
        before, dollar, template = template.partition("$")
        text += before
        if not dollar:
            break
        if template.startswith("$"):
            text += "$"
            template = template[1:]
            continue
        name = _name(template)
        if name is None:
            text += "$"
            continue
        template = name.rest
        group = _group(name.text, names)
        if group is not None:
            if text:
                parts.append(text.encode())
            text = ""
            parts.append(group)
    if text:
        parts.append(text.encode())
    return parts


def has_variable(template: str) -> bool:
    """Whether Prometheus treats it as a template at all."""
    return "$" in template


def _name(template: str) -> _Name | None:
    """The longest run of letters, digits and underscores, in braces or not."""
    brace = template.startswith("{")
    text = template[brace:]
    end = next((i for i, char in enumerate(text) if not _is_word(char)), len(text))
    if end == 0:
        return None
    if not brace:
        return _Name(text[:end], text[end:])
    return _Name(text[:end], text[end + 1 :]) if text[end : end + 1] == "}" else None


def _is_word(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] == "L" or unicodedata.category(char) == "Nd"


def _group(name: str, names: Sequence[str]) -> int | None:
    is_number = name.isascii() and name.isdigit() and len(name) <= 9 and (name == "0" or name[0] != "0")
    number = int(name) if is_number else -1
    if number >= 0:
        return number if number < len(names) else None
    return names.index(name) if name in names else None
