"""Metrics of many processes as those of one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Family = list[Any]
"""[name, type, help, unit, samples]; a sample is [name, labels, value]."""
Snapshot = list[Family]

_COUNTED = {"counter", "histogram", "summary"}
_EARLIEST = ("_created", "_start_time_seconds", "_timestamp_seconds", "_successful", "_sharing_gateways")
"""Gauges of which the smallest says most: since when, up to when, whether everywhere."""
_COMMON = ("_info", "_partitions", "_active_series")
"""What is the same everywhere, or soon will be."""


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """What the registry holds now, as plain values."""
    return [
        [family.name, family.type, family.documentation, family.unit, [list(sample[:3]) for sample in family.samples]]
        for family in registry.collect()
    ]


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Counters and histograms are summed, by name and labels; gauges, too, where a sum makes sense."""
    families: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for name, kind, text, unit, samples in (family for each in snapshots for family in each):
        families.setdefault(name, [name, kind, text, unit, []])
        known = values.setdefault(name, {})
        for sample, labels, value in samples:
            key = sample, tuple(labels.items())
            known[key] = _combine(kind, sample)((known[key], value)) if key in known else value
    for name, known in values.items():
        families[name][4] = [[sample, dict(labels), value] for (sample, labels), value in known.items()]
    return list(families.values())


def counted(one: Snapshot) -> Snapshot:
    """What stays true of a process that has ended: all that was counted."""
    return [family for family in one if family[1] in _COUNTED]


def _combine(kind: str, sample: str) -> Callable[[Sequence[float]], float]:
    if sample.endswith(_EARLIEST):
        return min
    if kind not in _COUNTED and (kind != "gauge" or sample.endswith(_COMMON)):
        return max
    return sum


class View(Collector):
    """A registry of what was merged."""

    def __init__(self, merged: Snapshot) -> None:
        self._merged = merged

    def collect(self) -> Iterable[Metric]:
        for name, kind, text, unit, samples in self._merged:
            family = Metric(name, text, kind, unit)
            for sample, labels, value in samples:
                family.add_sample(sample, labels, value)
            yield family

    def registry(self) -> CollectorRegistry:
        """To be asked like any other."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry
