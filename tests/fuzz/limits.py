"""Targets of limits: what is refused in the end leaves the rest of the records as it was counted."""

import contextlib

from forebay.errors import InvalidData
from tests.fuzz import corpus
from tests.fuzz.entry import Entry, Target, exactly
from tests.wire.requests_v2 import as_v2
from wire.series_set import SeriesBudget, SeriesSet
from wire.write_request import Routed, Router

SEED = 7
MAX_AGE = 3_600_000
SHADOW = ("too_many_labels", "label_name_too_long", "too_many_samples", "out_of_bounds_past", "too_many_buckets")


def _counts(routed: Routed) -> tuple[int, int, int, int]:
    return routed.samples, routed.histograms, routed.exemplars, routed.metadata


def _limited(message: int, shadow: tuple[str, ...]) -> Target:
    """Tight limits, a set of active series that is full most of the time, and records small enough to be split."""
    router = Router(
        7,
        max_record_bytes=400,
        max_label_pairs=4,
        max_label_name_bytes=9,
        max_label_value_bytes=12,
        max_series_per_request=6,
        max_samples_per_request=9,
        max_exemplars_per_request=2,
        max_histogram_buckets=3,
        shadow=shadow,
        cluster_label="cluster",
        replica_label="__replica__",
    )
    plain = Router(7, max_record_bytes=1 << 20)
    active = SeriesSet(SeriesBudget(4096), 0, limit=20, shared=True)
    generation = 0

    def target(data: memoryview) -> None:
        nonlocal generation
        generation += 1
        active.advance(generation // 50)
        if generation % 100 == 0:
            active.take_fresh()
        times = corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE
        try:
            routed = router.route(
                data, SEED, *times, message=message, name_replicas=True, outer_min_time=0, active=active
            )
        except InvalidData:
            return
        if len(active) > 20:
            raise AssertionError(f"more series are active than may be: {len(active)}")
        stored = [plain.route(exactly(record), SEED, -(1 << 63), (1 << 63) - 1) for _, record in routed.records]
        found = [_counts(each) for each in stored]
        if [sum(column) for column in zip(*found, strict=True)] != (list(_counts(routed)) if found else []):
            raise AssertionError(f"records hold {found}, and {_counts(routed)} were counted")

    return target


def _series_set() -> Target:
    series = SeriesSet(SeriesBudget(1 << 16), 0, limit=500, shared=True)
    generation = 0

    def target(data: memoryview) -> None:
        nonlocal generation
        generation += len(data) % 3
        series.advance(generation)
        series.merge(data, generation - len(data) % 8)
        if series.admit(data) > len(data) // 8:
            raise AssertionError("more series were admitted than there are")
        if generation % 20 == 0:
            series.take_fresh()

    return target


def entries() -> dict[str, Entry]:
    bodies = [*corpus.write_requests(), *corpus.of_replicas()]
    second = []
    for body in bodies:
        with contextlib.suppress(ValueError):
            second.append(as_v2(body))
    return {
        "router, limits": Entry(_limited(1, ()), bodies),
        "router, limits in shadow": Entry(_limited(1, SHADOW), bodies),
        "router 2.0, limits": Entry(_limited(2, ()), second),
        "series set": Entry(_series_set(), [bytes(range(64)), bytes(800)]),
    }
