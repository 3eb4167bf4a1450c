"""Strict YAML: no key twice, nothing unknown, errors that name the path. What every settings file is read with."""

import re
from typing import Any, TypeVar

import msgspec
import yaml

from forebay.errors import Fatal
from forebay.settings import effective
from forebay.units import Duration, Size

HINT = "see docs/configuration.md; try `forebay check-config --config.file=FILE`"
_AT = re.compile(r" - at `\$\.?(?P<path>.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_Kind = TypeVar("_Kind")


class SettingsError(Fatal):
    """The settings cannot be used: exit code 2."""


def parse_yaml(text: str, *, secret: bool = False) -> dict[str, Any]:
    """The document, which is a mapping; none at all is an empty one. Raises SettingsError.

    Of a file that is `secret`, no text is told.
    """
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader's subclass
    except yaml.YAMLError as error:
        # Without its cause, whose text shows the line that is wrong, and with it what may be a secret.
        raise SettingsError(f"not YAML: {_where(error)}", hint=HINT) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        got = "" if secret else f" (got {_short(document)})"
        raise SettingsError(f"settings: expected a mapping{got}", hint=HINT)
    return document


def convert(document: Any, kind: type[_Kind], *, written: Any = None, path: str = "", secret: bool = False) -> _Kind:
    """The document as a `kind`; it stands at `path` of its file. What is wrong is shown as it was `written`.

    Of a file that is `secret`, no value is shown.

    Raises:
        SettingsError: `path: problem (got value)`.
    """
    try:
        return msgspec.convert(document, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        problem = _located(str(error), document if written is None else written, path, secret=secret)
        raise SettingsError(problem, hint=HINT) from error


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration:
        if not isinstance(value, str):
            raise ValueError("expected a duration such as 30s, 5m or 1h30m")
        return Duration.parse(value)
    if kind is Size:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError("expected a size such as 64MiB, or a number of bytes")
        return Size.parse(value) if isinstance(value, str) else Size(value)
    raise NotImplementedError(kind)


def _located(message: str, document: Any, outer: str, *, secret: bool) -> str:
    """`path: problem (got value)`, out of msgspec's message and the document as it was written."""
    at = _AT.search(message)
    path = at["path"] if at else ""
    problem = message[: at.start()] if at else message
    if unknown := _UNKNOWN.match(problem):
        path = f"{path}.{unknown['name']}" if path else unknown["name"]
        return f"{_joined(outer, path)}: unknown setting"
    written = _value_at(document, path)
    if secret or (isinstance(written, dict) and "(got " in problem):
        got = ""  # or one of several settings is wrong, and the problem says which
    else:
        problem = problem.partition(" (got ")[0]
        # As it was written, so that no secret of the environment is shown, and without those of the file.
        got = f" (got {_short(effective(written, path.rpartition('.')[2]))})"
    return f"{_joined(outer, path) or 'settings'}: {problem[:1].lower()}{problem[1:]}{got}"


def _joined(outer: str, path: str) -> str:
    return f"{outer}.{path}" if outer and path else outer or path


def _value_at(document: Any, path: str) -> Any:
    for index, name in _STEP.findall(path):
        try:
            document = document[int(index)] if index else document[name]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _short(value: Any) -> str:
    text = _one_line(repr(value))
    return text if len(text) <= 100 else text[:99] + "…"


def _where(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it holds a character that YAML has not"
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return _one_line(f"{error.context or ''} {error.problem or ''}") + place


def _one_line(text: str) -> str:
    return " ".join(text.split())


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: ten thousand tenants are read in a tenth of the time."""


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Refuses a key that comes twice, of which YAML would silently take the last, and one that is no text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - as in PyYAML
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, "a key is no text", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, f"key comes twice: {key.value}", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping
