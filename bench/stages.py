"""Where the time of acknowledged requests went, by the gateway's own histograms: between two looks at /metrics."""

import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

STAGES: Mapping[str, str] = {
    "its turn": "forebay_gateway_wait_seconds",
    "the log": "forebay_gateway_append_duration_seconds",
}
"""What a request waits for, and the histogram that tells how long."""

Look = Mapping[str, Mapping[float, float]]
"""Requests by upper bound of seconds, all up to it, by histogram."""


def look(port: int) -> Look:
    """What the gateway has counted so far. Blocks."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return read(answer.read().decode())


def read(page: str) -> Look:
    """From the page's text."""
    found: dict[str, dict[float, float]] = {name: {} for name in STAGES.values()}
    for family in text_string_to_metric_families(page):
        for sample in family.samples if family.name in found else ():
            if "le" in sample.labels:
                found[family.name][float(sample.labels["le"])] = sample.value
    return found


def percentile(before: Look, after: Look, stage: str, share: float) -> float:
    """Seconds, by interpolation within a bucket; of a stage between the two looks."""
    name = STAGES[stage]
    counts = {bound: after[name][bound] - before[name][bound] for bound in sorted(after[name])}
    wanted, lower, below = share * max(counts.values()), 0.0, 0.0
    for bound, count in counts.items():
        if count >= wanted and count > below:
            upper = bound if bound != float("inf") else lower
            return lower + (upper - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return float("nan")  # nobody went through it
