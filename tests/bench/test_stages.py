"""Percentiles of a stage from two looks at a gateway's histograms."""

import math

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from bench.stages import STAGES, percentile, read


def test_percentiles_are_of_what_came_between_two_looks() -> None:
    registry = CollectorRegistry()
    turn, log = (Histogram(name, "help", buckets=(0.01, 0.1, 1.0), registry=registry) for name in STAGES.values())
    for _ in range(50):
        turn.observe(0.9)
        log.observe(0.9)
    before = read(generate_latest(registry).decode())
    for _ in range(90):
        turn.observe(0.005)
    for _ in range(10):
        turn.observe(0.05)
    log.observe(7)
    after = read(generate_latest(registry).decode())
    assert percentile(before, after, "its turn", 0.45) == pytest.approx(0.005)
    assert percentile(before, after, "its turn", 0.95) == pytest.approx(0.055)
    assert percentile(before, after, "the log", 0.5) == 1.0


def test_a_stage_that_nobody_went_through_has_no_percentile() -> None:
    registry = CollectorRegistry()
    for name in STAGES.values():
        Histogram(name, "help", registry=registry)
    nothing = read(generate_latest(registry).decode())
    assert math.isnan(percentile(nothing, nothing, "its turn", 0.99))
