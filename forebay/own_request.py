"""A registry's metrics as a remote-write 1.0 body: what a scrape of this process would have sent."""

import math
import struct
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""Prometheus' stale marker, a NaN whose payload must survive."""

Series = tuple[tuple[str, str], ...]
"""Labels, ascending by name."""


def collect(registry: CollectorRegistry, target: Mapping[str, str]) -> dict[Series, bytes]:
    """Every sample's value as its eight bytes, by the labels it is written with; `target` wins over its own."""
    values: dict[Series, bytes] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name.endswith("_created"):  # OpenMetrics' start times, which a Prometheus does not store either
                continue
            labels = {**sample.labels, "__name__": sample.name, **target}
            series = tuple(sorted((name, value) for name, value in labels.items() if value))
            values[series] = struct.pack("<d", math.nan if sample.value is None else sample.value)
    return values


def encode(values: Iterable[tuple[Series, bytes]], at_ms: int) -> bytes:
    """A prometheus.WriteRequest with one sample of each series, all at the same time."""
    stamp = b"\x10" + _varint(at_ms)
    body = bytearray()
    for series, value in values:
        entry = b"".join(
            _field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in series
        ) + _field(2, b"\x09" + value + stamp)
        body += _field(1, entry)
    return bytes(body)


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
