import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

import mmh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.labels_oracle import label_fields
from tests.wire.limits_oracle import Limits, Walk
from tests.wire.messages import BucketSpan, Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest
from tests.wire.requests_v2 import as_v2
from tests.wire.test_write_request import (
    MAX,
    MIN,
    PARTITIONS,
    SEED,
    entries,
    labels,
    request,
    requests,
    series,
    written,
)
from wire.series_set import SeriesBudget, SeriesSet
from wire.write_request import LIMIT_REASONS, REASONS, Routed, Router

KEYWORDS = {
    "too_many_labels": "max_label_pairs",
    "label_name_too_long": "max_label_name_bytes",
    "label_value_too_long": "max_label_value_bytes",
    "too_many_series": "max_series_per_request",
    "too_many_samples": "max_samples_per_request",
    "too_many_exemplars": "max_exemplars_per_request",
    "too_many_buckets": "max_histogram_buckets",
}
OUTER = (MIN - 1, MAX + 1)


def a_set(limit: int = 0) -> SeriesSet:
    return SeriesSet(SeriesBudget(1 << 20), 0, limit=limit)


def route(body: bytes, active: SeriesSet | None = None, *, message: int = 1, **limits: Any) -> Routed:
    return Router(PARTITIONS, **limits).route(
        body, SEED, MIN, MAX, message=message, active=active, outer_min_time=OUTER[0], outer_max_time=OUTER[1]
    )


@dataclasses.dataclass
class Found:
    """One series of a record."""

    labels: bytes
    kinds: tuple[list[bytes], list[bytes], list[bytes]]


def found(routed: Routed) -> list[Found]:
    series_of = []
    for entry in written(routed):
        kinds = (entry.samples, entry.exemplars, entry.histograms)
        first, second, third = ([each.SerializeToString(deterministic=True) for each in kind] for kind in kinds)
        run = label_fields((label.name, label.value) for label in entry.labels)
        series_of.append(Found(run, (first, second, third)))
    return series_of


def in_any_order(series_of: Iterable[Any]) -> list[Any]:
    return sorted((entry.labels, entry.kinds) for entry in series_of)


most = st.fixed_dictionaries(
    {},
    optional={
        "too_many_labels": st.integers(1, 3),
        "label_name_too_long": st.integers(8, 9),
        "label_value_too_long": st.integers(1, 3),
        "too_many_series": st.integers(1, 4),
        "too_many_samples": st.integers(1, 6),
        "too_many_exemplars": st.integers(1, 2),
        "too_many_buckets": st.integers(1, 3),
        "active_series": st.integers(1, 3),
    },
)


@settings(max_examples=120, deadline=None)
@given(st.lists(entries, max_size=6), most, st.sets(st.sampled_from(LIMIT_REASONS)))
def test_limits_are_the_same_over_both_protocols(entries_of: list[Any], most: dict[str, int], shadow: set[str]) -> None:
    body = request(*entries_of)
    keywords: dict[str, Any] = {KEYWORDS[reason]: value for reason, value in most.items() if reason in KEYWORDS}
    sets = [a_set(most.get("active_series", 0)) for _ in range(2)]
    one = route(body, sets[0], shadow=shadow, **keywords)
    two = route(as_v2(body), sets[1], message=2, shadow=shadow, **keywords)
    assert len(sets[0]) == len(sets[1])
    assert (one.rejected, one.shadowed, one.series) == (two.rejected, two.shadowed, two.series)
    if "too_many_samples" not in one.rejected:  # which of them stand first is the protocol's
        assert (one.samples, one.histograms, one.exemplars) == (two.samples, two.histograms, two.exemplars)


@settings(max_examples=120, deadline=None)
@given(st.lists(requests, min_size=1, max_size=2), most, st.sets(st.sampled_from(LIMIT_REASONS)))
def test_limits_do_what_the_oracle_says(bodies: list[bytes], most: dict[str, int], shadow: set[str]) -> None:
    active = a_set(most.get("active_series", 0))
    limits = Limits(most, frozenset(shadow), (MIN, MAX), OUTER)
    keywords: dict[str, Any] = {KEYWORDS[reason]: value for reason, value in most.items() if reason in KEYWORDS}
    for body in bodies:
        expected = Walk(limits)
        expected.route(body, SEED)
        metadata_refused = route(request(metadata=WriteRequest.FromString(body).metadata)).rejected
        routed = route(body, active, shadow=shadow, **keywords)
        assert in_any_order(found(routed)) == in_any_order(expected.stored)
        assert routed.rejected == dict(expected.rejected + Counter(metadata_refused))
        assert routed.shadowed == dict(+expected.shadowed)
        assert routed.series == len(expected.stored)
        assert routed.samples + routed.histograms == sum(each.samples for each in expected.stored)
        assert routed.exemplars == sum(len(each.kinds[1]) for each in expected.stored)
        assert len(active) == len(limits.active)


@given(requests)
def test_limits_that_nothing_is_beyond_change_nothing(body: bytes) -> None:
    wide: dict[str, Any] = dict.fromkeys(KEYWORDS.values(), 1000)
    assert route(body, a_set(1000), shadow=["too_many_series"], **wide) == route(body)


@pytest.mark.parametrize("more", [{}, {"b": ""}], ids=["copied", "written anew"])
def test_the_first_samples_are_stored_and_the_rest_refused(more: dict[str, str]) -> None:
    body = request(*[series(1500, 1600, job=str(number), **more) for number in range(5)])
    routed = route(body, max_samples_per_request=5)
    assert (routed.series, routed.samples, routed.rejected) == (3, 5, {"too_many_samples": 5})
    routed = route(body, max_series_per_request=2)
    assert (routed.series, routed.samples, routed.rejected) == (2, 4, {"too_many_series": 6})
    assert {each.reason for each in routed.examples} == {"too_many_series"}
    assert 'job="4"' in routed.examples[-1].series


def test_exemplars_beyond_their_limit_cost_no_sample() -> None:
    exemplars = [Exemplar(value=1, timestamp=1500)] * 3
    body = request(TimeSeries(labels=labels(), samples=[Sample(timestamp=1500)], exemplars=exemplars))
    routed = route(body, max_exemplars_per_request=2)
    assert (routed.samples, routed.exemplars, routed.rejected) == (1, 2, {"too_many_exemplars": 1})


@pytest.mark.parametrize("schema", [0, -53])
def test_buckets_are_those_that_are_there_or_bounds(schema: int) -> None:
    custom = schema == -53
    histogram = Histogram(
        schema=schema,
        count_int=2,
        positive_spans=[BucketSpan(offset=0, length=2)],
        positive_deltas=[1, 0],
        custom_values=[1.0, 2.0, 3.0] if custom else [],
        timestamp=1500,
    )
    body = request(TimeSeries(labels=labels(), histograms=[histogram]))
    enough = 3 if custom else 2
    assert route(body, max_histogram_buckets=enough).rejected == {}
    assert route(body, max_histogram_buckets=enough - 1).rejected == {"too_many_buckets": 1}


def test_shadow_mode_stores_what_time_bounds_refuse_up_to_the_outer_ones() -> None:
    body = request(series(MIN - 2, MIN - 1, MIN, MAX, MAX + 1, MAX + 2))
    routed = route(body, shadow=["out_of_bounds_past", "out_of_bounds_future"])
    assert routed.samples == 4
    assert routed.rejected == routed.shadowed == {"out_of_bounds_past": 1, "out_of_bounds_future": 1}
    same = Router(PARTITIONS, shadow=["out_of_bounds_past"]).route(body, SEED, MIN, MAX)
    assert (same.samples, same.shadowed) == (2, {})


def test_more_labels_than_there_is_room_for_are_refused_in_shadow_mode_too() -> None:
    many = {f"l{number:04}": "v" for number in range(1023)}
    good, bad = request(series(1500, **many)), request(series(1500, **many, last="v"))
    shadowed: dict[str, Any] = {"max_label_pairs": 3, "shadow": ["too_many_labels"]}
    for limits in (shadowed, {}):
        assert route(good, **limits).samples == 1
        assert route(bad, **limits).rejected == {"too_many_labels": 1}


def test_validity_has_no_shadow_mode() -> None:
    assert set(LIMIT_REASONS) < set(REASONS)
    for reason in [*set(REASONS) - set(LIMIT_REASONS), "nonsense"]:
        with pytest.raises(ValueError, match=reason):
            Router(1, shadow=[reason])


def test_series_beyond_the_active_ones_are_refused_by_name_until_there_is_room() -> None:
    active = a_set(2)
    body = request(*[series(1500, 1600, job=str(number)) for number in range(4)])
    routed = route(body, active)
    assert (routed.series, routed.samples, routed.rejected) == (2, 4, {"active_series": 4})
    assert [each.series for each in routed.examples] == ['{__name__="up", job="2"}', '{__name__="up", job="3"}']
    again = route(body, active)
    assert again.records == routed.records
    active.advance(5)
    late = route(request(series(1500, job="3")), active)
    assert (late.samples, len(active)) == (1, 1)


def test_what_is_refused_in_the_end_leaves_everything_else_in_place() -> None:
    """Cut entries, split entries and metadata stand between those that are taken out again."""
    pair = [Label(name=b"cluster", value=b"eu"), Label(name=b"__replica__", value=b"a")]

    def of(job: str, *, named: bool, times: Iterable[int]) -> Any:
        own = [*labels(job=job), *(pair if named else [])]
        own.sort(key=lambda label: label.name)
        return TimeSeries(labels=own, samples=[Sample(timestamp=time) for time in times])

    sent = [of(str(job), named=job % 2 == 0, times=range(1000, 1000 + job * 7)) for job in range(1, 40)]
    body = request(*sent, metadata=[MetricMetadata(metric_family_name=b"up")])
    router = Router(4, max_record_bytes=512, cluster_label="cluster", replica_label="__replica__")
    known = a_set()
    router.route(request(*sent[:3], *sent[20:22]), SEED, MIN, MAX, name_replicas=True, active=known)
    known.limit = len(known)
    routed = router.route(body, SEED, MIN, MAX, name_replicas=True, active=known)
    alone = router.route(
        request(*sent[:3], *sent[20:22], metadata=[MetricMetadata(metric_family_name=b"up")]),
        SEED,
        MIN,
        MAX,
        name_replicas=True,
    )
    assert routed[:6] == alone[:6]
    assert routed.replicas == alone.replicas
    assert routed.rejected == {"active_series": sum(len(entry.samples) for entry in sent) - alone.samples}


def test_active_series_are_told_apart_by_the_hash_that_routes_them() -> None:
    active = SeriesSet(SeriesBudget(1 << 20), 0, shared=True)
    route(request(series(1500, job="a")), active)
    run = label_fields([(b"__name__", b"up"), (b"job", b"a")])
    assert active.take_fresh() == mmh3.hash64(run, SEED, signed=False)[0].to_bytes(8, "little")
