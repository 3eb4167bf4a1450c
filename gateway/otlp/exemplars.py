"""Exemplars with the trace and span that they come from."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar

from gateway.otlp.values import text

MAX_CHARACTERS = 128
"""Of all label names and values of one exemplar, by OpenMetrics: attributes are left out that do not fit beside ids."""
_double = struct.Struct("<d").pack


class TranslatedExemplar(NamedTuple):
    value: float
    milliseconds: int
    labels: dict[str, str]


def translated(exemplars: Iterable[Exemplar], milliseconds: int) -> list[TranslatedExemplar]:
    """Those that have a value; one without a time has that of its data point."""
    found = []
    for exemplar in exemplars:
        kind = exemplar.WhichOneof("value")
        if kind is None:
            continue
        value = float(exemplar.as_int) if kind == "as_int" else exemplar.as_double
        labels = {}
        for name, identity in (("trace_id", exemplar.trace_id), ("span_id", exemplar.span_id)):
            if any(identity):
                labels[name] = identity.hex()
        attributes = [(each.key, text(each.value)) for each in exemplar.filtered_attributes]
        if sum(len(name) + len(value) for name, value in (*labels.items(), *attributes)) <= MAX_CHARACTERS:
            labels = {name: value for name, value in sorted(attributes) if name and value} | labels
        at = exemplar.time_unix_nano // 1_000_000 or milliseconds
        found.append(TranslatedExemplar(value, at, labels))
    return found
