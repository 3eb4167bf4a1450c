"""`${NAME}` in string values of the settings file, so that secrets need not stand in it."""

import re
from collections.abc import Mapping
from typing import Any

_AS_WRITTEN = frozenset({"limits.relabel"})
"""Settings in which `${name}` is a group of a regex."""
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class UnsetVariable(ValueError):
    """`path` names a variable that the environment does not have."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(f"{path}: environment variable {name} is not set")


def expand(document: Any, environment: Mapping[str, str], path: str = "") -> Any:
    """The document with every reference replaced, in values only. Raises UnsetVariable."""
    if path in _AS_WRITTEN:
        return document
    if isinstance(document, dict):
        return {
            key: expand(value, environment, f"{path}.{key}" if path else str(key)) for key, value in document.items()
        }
    if isinstance(document, list):
        return [expand(value, environment, f"{path}[{index}]") for index, value in enumerate(document)]
    if not isinstance(document, str):
        return document

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise UnsetVariable(path, match[1])
        return environment[match[1]]

    return _REFERENCE.sub(value_of, document)
