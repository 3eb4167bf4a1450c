"""UCUM units, as OpenTelemetry writes them, in the words of Prometheus."""

import re

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_OTHERS = re.compile("[^A-Za-z0-9:]+")


def suffixes(unit: str) -> tuple[str, str]:
    """The words for a unit and for what it is counted per (`per_second`), each empty where there is none.

    An annotation (`{requests}`) is not a unit.
    """
    main, _, per = unit.partition("/")
    main, per = main.strip(), per.strip()
    main = "" if "{" in main or "}" in main else _UNITS.get(main, main)
    per = "" if "{" in per or "}" in per else _PER.get(per, per)
    return main, f"per_{per}" if per else ""


def escaped(word: str) -> str:
    """What a metric name may hold of it: each run of other characters is one underscore, none at its beginning."""
    return _OTHERS.sub("_", word).removeprefix("_")


def unit_name(unit: str) -> str:
    """The unit of a metric's metadata."""
    main, per = (escaped(word) for word in suffixes(unit))
    return "_".join(word for word in (main, per) if word).removeprefix("_").removesuffix("_")
