"""Attribute values and bucket bounds as the text of a label."""

import base64
import math
from decimal import Decimal
from functools import lru_cache

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_ESCAPES = {
    **{code: f"\\u{code:04x}" for code in (*range(0x20), 0x2028, 0x2029)},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\b"): "\\b",
    ord("\f"): "\\f",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def text(value: AnyValue) -> str:
    """Strings as they are, bytes as base64, arrays and maps as JSON; nothing is the empty string.

    An array or map that JSON cannot say (NaN, infinities) is the empty string too, as in Prometheus.
    """
    kind = value.WhichOneof("value")
    if kind in {"array_value", "kvlist_value"}:
        try:
            return _json(value)
        except OverflowError:
            return ""
    if kind == "double_value":
        return _any_number(value.double_value)
    return "" if kind is None else _scalar(value, kind)


def bound_text(value: float) -> str:
    """A bucket's bound or a quantile, without exponent: shortest digits that are read back as the same value."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    return _bound_text(value)


@lru_cache(maxsize=4096)
def _bound_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"  # noqa: PLR0124 - what NaN is
    return _plain(value)


def _scalar(value: AnyValue, kind: str) -> str:
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    return base64.b64encode(value.bytes_value).decode() if kind == "bytes_value" else ""


def _json(value: AnyValue) -> str:
    """Raises OverflowError at a number that is none of JSON's. As deep as the protobuf decoder lets a message be."""
    kind = value.WhichOneof("value")
    if kind is None:
        return "null"
    if kind == "array_value":
        return f"[{','.join(_json(each) for each in value.array_value.values)}]"
    if kind == "kvlist_value":
        fields = {each.key: each.value for each in value.kvlist_value.values}
        return "{" + ",".join(f"{_quoted(key)}:{_json(fields[key])}" for key in sorted(fields)) + "}"
    if kind == "double_value":
        if not math.isfinite(value.double_value):
            raise OverflowError("not a number of JSON")
        return _number(value.double_value)
    scalar = _scalar(value, kind)
    if kind == "bytes_value" and not scalar:
        return "null"  # as Prometheus has it
    return scalar if kind in {"bool_value", "int_value"} else _quoted(scalar)


def _quoted(string: str) -> str:
    return f'"{string.translate(_ESCAPES)}"'


def _any_number(value: float) -> str:
    if math.isfinite(value):
        return _number(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - what NaN is


def _number(value: float) -> str:
    """As ECMAScript writes it, but for -0."""
    size = abs(value)
    if size and (size < 1e-6 or size >= 1e21):
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    return _plain(value)


def _plain(value: float) -> str:
    shortest = repr(value)
    if "e" in shortest:
        return f"{Decimal(shortest):f}"
    return shortest.removesuffix(".0")
