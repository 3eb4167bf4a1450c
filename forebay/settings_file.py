"""Reads the settings file: YAML without repeats, `${NAME}` from the environment, errors that name the path."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from forebay.errors import Fatal
from forebay.expand import UnsetVariable, expand
from forebay.settings import NOT_YET, Settings, effective
from forebay.units import Duration, Size

_HINT = "see docs/configuration.md; try `forebay check-config --config.file=FILE`"
_AT = re.compile(r" - at `\$\.?(?P<path>.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


class SettingsError(Fatal):
    """The settings cannot be used: exit code 2."""


def load_settings(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `file`, or the defaults where there is none.

    Raises:
        SettingsError: `path: problem (got value)`.
    """
    if file is None:
        return Settings()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the settings file: file={file} error={error}") from error
    return parse_settings(text, environment)


def parse_settings(text: str, environment: Mapping[str, str]) -> Settings:
    """As `load_settings`, from the file's text."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader's subclass
    except yaml.YAMLError as error:
        raise SettingsError(f"not YAML: {_one_line(str(error))}", hint=_HINT) from error
    if document is None:
        return Settings()
    if not isinstance(document, dict):
        raise SettingsError(f"settings: expected a mapping (got {_short(document)})", hint=_HINT)
    for name, problem in NOT_YET.items():
        if name in document:
            raise SettingsError(f"{name}: {problem}", hint="take it out of the settings file")
    try:
        return msgspec.convert(expand(document, environment), Settings, dec_hook=_decode)
    except UnsetVariable as error:
        raise SettingsError(str(error), hint="set it, or take the reference out") from error
    except msgspec.ValidationError as error:
        raise SettingsError(_located(str(error), document), hint=_HINT) from error


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


def _located(message: str, document: Any) -> str:
    """`path: problem (got value)`, out of msgspec's message and the document as it was written."""
    at = _AT.search(message)
    path = at["path"] if at else ""
    problem = message[: at.start()] if at else message
    if unknown := _UNKNOWN.match(problem):
        path = f"{path}.{unknown['name']}" if path else unknown["name"]
        return f"{path}: unknown setting"
    written = _value_at(document, path)
    if isinstance(written, dict) and "(got " in problem:
        got = ""  # one of several settings is wrong, and the problem says which
    else:
        problem = problem.partition(" (got ")[0]
        # As it was written, so that no secret of the environment is shown, and without those of the file.
        got = f" (got {_short(effective(written, path.rpartition('.')[2]))})"
    return f"{path or 'settings'}: {problem[:1].lower()}{problem[1:]}{got}"


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


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - as in PyYAML
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, f"key comes twice: {key.value}", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
