"""Reads the settings file: strict YAML, with `${NAME}` from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from forebay.expand import UnsetVariable, expand
from forebay.settings import NOT_YET, Settings
from forebay.strict_yaml import SettingsError, convert, parse_yaml


def load_settings(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `file`, or the defaults where there is none. Files that they name are beside it.

    Raises:
        SettingsError: `path: problem (got value)`.
    """
    if file is None:
        return Settings()
    settings = parse_settings(read_text(file, "settings"), environment)
    if settings.overrides_file:
        settings = msgspec.structs.replace(settings, overrides_file=str(file.parent / settings.overrides_file))
    return settings


def read_text(file: Path, what: str) -> str:
    """Raises SettingsError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the {what} file: file={file} error={error}") from error


def parse_settings(text: str, environment: Mapping[str, str]) -> Settings:
    """As `load_settings`, from the file's text."""
    document = parse_yaml(text)
    for name, problem in NOT_YET.items():
        if name in document:
            raise SettingsError(f"{name}: {problem}", hint="take it out of the settings file")
    try:
        expanded = expand(document, environment)
    except UnsetVariable as error:
        raise SettingsError(str(error), hint="set it, or take the reference out") from error
    return convert(expanded, Settings, written=document)
