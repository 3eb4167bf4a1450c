"""Names of metrics and labels out of OpenTelemetry's names, by a translation strategy."""

import re
from collections.abc import Callable
from typing import Literal

from gateway.otlp.settings import OtlpSettings
from gateway.otlp.units import escaped, suffixes
from gateway.otlp.untranslatable import Untranslatable

Kind = Literal["gauge", "counter", "other"]
"""What decides a metric name's suffix; a counter is a monotonic sum."""

_TOKEN = re.compile("[A-Za-z0-9:]+")
_METRIC_RUN = re.compile("[A-Za-z0-9:_]+")
_NOT_LABEL = re.compile("[^A-Za-z0-9]")
_NOT_LABEL_RUN = re.compile("[^A-Za-z0-9]+")
_DIGITS = frozenset("0123456789")


class Namer:
    """Translates names, and remembers them; for one request, whose size bounds what is remembered."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._escapes = settings.escapes
        self._adds_suffixes = settings.adds_suffixes
        self._adds_key = settings.label_name_underscore_sanitization
        self._keeps_runs = settings.label_name_preserve_multiple_underscores
        self._labels = _Labels(self._label)
        self.label = self._labels.__getitem__
        """A label's name. Raises Untranslatable where nothing of the name is left."""

    def metric(self, name: str, unit: str, kind: Kind) -> str:
        """Raises Untranslatable where nothing of the name is left."""
        if not self._escapes:
            built = _with_suffixes(name, unit, kind) if self._adds_suffixes else name
        elif self._adds_suffixes:
            built = _normalized(name, unit, kind)
        else:
            built = _after_no_digit("_".join(_METRIC_RUN.findall(name)))
        if not built or (self._escapes and built != name and not built.strip("_")):
            raise Untranslatable(f"metric name has no translation: name={name[:200]!r}")
        return built

    def _label(self, name: str) -> str:
        built = name
        if self._escapes and name:
            built = self._escaped_label(name)
            if built[0] in _DIGITS:
                built = f"key_{built}"
            elif self._adds_key and built.startswith("_") and not built.startswith("__"):
                built = f"key{built}"
        if not built.strip("_"):
            raise Untranslatable(f"attribute name has no translation: name={name[:200]!r}")
        return built

    def _escaped_label(self, name: str) -> str:
        if self._keeps_runs:
            return _NOT_LABEL.sub("_", name)
        if len(name) >= 4 and name.startswith("__") and name.endswith("__"):
            return f"__{_NOT_LABEL_RUN.sub('_', name[2:-2])}__"
        return _NOT_LABEL_RUN.sub("_", name)


class _Labels(dict[str, str]):
    """Names that were asked for before: looking one up calls no function of ours."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make

    def __missing__(self, name: str) -> str:
        made = self[name] = self._make(name)
        return made


def _normalized(name: str, unit: str, kind: Kind) -> str:
    tokens = _TOKEN.findall(name)
    main, per = (escaped(word) for word in suffixes(unit))
    if main in tokens:
        main = ""
    per = "" if per == "per_" else per.removesuffix("_")
    if per in tokens:
        per = ""
    if per:
        main = main.removesuffix("_")
    tokens += [word for word in (main, per) if word]
    if kind == "counter":
        tokens = [*(token for token in tokens if token != "total"), "total"]  # noqa: S105 - a word of a name
    if unit == "1" and kind == "gauge":
        tokens = [*(token for token in tokens if token != "ratio"), "ratio"]  # noqa: S105 - as above
    return _after_no_digit("_".join(tokens))


def _with_suffixes(name: str, unit: str, kind: Kind) -> str:
    """Suffixes in their order, after any of them that the name already ends in is taken off."""
    main, per = suffixes(unit)
    appended = [
        word
        for word, wanted in (
            ("ratio", unit == "1" and kind == "gauge"),
            ("total", kind == "counter"),
            (per, bool(per)),
        )
        if wanted
    ]
    for word in appended:
        if name.endswith(word) and len(name) > len(word) + 1:
            name = name[: -len(word) - 1]
    if main and not name.endswith(main):
        name = f"{name}_{main}"
    return "_".join((name, *reversed(appended)))


def _after_no_digit(name: str) -> str:
    return f"_{name}" if name and name[0] in _DIGITS else name
