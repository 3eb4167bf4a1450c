"""Durations, sizes and instants as operators write them: `30m`, `250ms`; `64MiB`, `512`; `2026-01-31T08:00:00.000Z`."""

import datetime as dt
import re

_DURATION_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SIZES = {
    "": 1,
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}
_SIZE = re.compile(r"(\d+)\s*([KMGT]?i?B?)")


class Duration(int):
    """Milliseconds."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Reads Prometheus' form of a duration; raises ValueError."""
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            if text == "0":
                return cls(0)
            raise ValueError(f"not a duration such as 30m or 1h30m (got {text!r})")
        return cls(sum(int(number) * _DURATION_MS[unit] for number, unit in parts))

    @property
    def seconds(self) -> float:
        return self / 1000

    def __str__(self) -> str:
        rest, text = int(self), ""
        for unit in ("w", "d", "h", "m", "s", "ms"):
            count, rest = divmod(rest, _DURATION_MS[unit])
            text += f"{count}{unit}" if count else ""
        return text or "0s"


class Size(int):
    """Bytes."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Reads a number with an optional binary or decimal unit; raises ValueError."""
        match = _SIZE.fullmatch(text.strip())
        if match is None or match[2] not in _SIZES:
            raise ValueError(f"not a size such as 64MiB (got {text!r})")
        return cls(int(match[1]) * _SIZES[match[2]])

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self >= _SIZES[unit] and self % _SIZES[unit] == 0:
                return f"{self // _SIZES[unit]}{unit}"
        return f"{int(self)}B"


def rfc3339(at_ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC; the number itself where that has no such year."""
    try:
        at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    except (OverflowError, ValueError):
        return f"{at_ms}ms"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rough(milliseconds: int) -> str:
    """A span for people, in the largest unit of which it has two or more."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if milliseconds >= 2 * size:
            return f"{milliseconds // size}{unit}"
    return f"{max(0, milliseconds) // 1000}s"
