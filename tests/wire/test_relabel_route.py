"""Relabel rules in the walk: what is routed is what the oracle says, whatever else is wrong with a request."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import test_write_request_v2
from tests.wire import write_request_oracle as oracle
from tests.wire import write_request_v2_oracle as oracle_v2
from tests.wire.labels_oracle import label_fields, text_field
from tests.wire.messages import Label, Sample, TimeSeries
from tests.wire.relabel_cases import made, rule_lists
from tests.wire.requests_v2 import as_v2
from tests.wire.test_replicas import requests as requests_of_pairs
from tests.wire.test_write_request import MAX, MIN, PARTITIONS, SEED, request, requests, written
from wire.relabel import RelabelRules
from wire.write_request import Routed, Router

HA = (b"cluster", b"__replica__")
KEEP_ALL = {"action": "drop", "source_labels": ["__name__"], "regex": "no such name"}
LABELS = [
    {"action": "labeldrop", "regex": "job|z|__replica__"},
    {"action": "labelmap", "regex": "(job|z)", "replacement": "cluster"},
    {"source_labels": ["job"], "target_label": "__name__"},
    {"source_labels": ["z"], "regex": "(.)", "target_label": "__replica__"},
    {"target_label": "A", "replacement": "1"},
    {"action": "drop", "source_labels": ["job"], "regex": "a"},
    {"action": "keep", "source_labels": ["__name__", "cluster"], "regex": "[^;]+;[ab]?"},
]
any_requests = (
    st.tuples(st.just(1), requests_of_pairs | requests)
    | st.tuples(st.just(2), requests_of_pairs.map(as_v2))
    | st.tuples(st.just(2), test_write_request_v2.requests())
)
some_rules = st.lists(st.sampled_from([KEEP_ALL, *LABELS]), min_size=1, max_size=4) | rule_lists


def route(body: bytes, rules: list[dict[str, Any]], message: int = 1, **options: Any) -> Routed:
    router = Router(
        PARTITIONS,
        cluster_label="cluster",
        replica_label="__replica__",
        relabel=RelabelRules(made(rules)),
        **options,
    )
    return router.route(body, SEED, MIN, MAX, name_replicas=True, message=message)


def series(*pairs: tuple[str, str], samples: int = 1) -> Any:
    labels = [Label(name=name.encode(), value=value.encode()) for name, value in pairs]
    return TimeSeries(labels=labels, samples=[Sample(value=n, timestamp=1500 + n) for n in range(samples)])


@settings(max_examples=300, deadline=None)
@given(any_requests, some_rules, st.sampled_from([1024, 2]))
def test_records_hold_what_the_oracle_says(
    asked: tuple[int, bytes], rules: list[dict[str, Any]], max_label_pairs: int
) -> None:
    message, body = asked
    routed = route(body, rules, message, max_label_pairs=max_label_pairs)
    expected = (oracle if message == 1 else oracle_v2).route(
        body, SEED, MIN, MAX, partitions=PARTITIONS, ha=HA, relabelling=made(rules), max_label_pairs=max_label_pairs
    )
    found = oracle.read_records(routed.records, routed.replicas)
    assert found.entries == expected.entries
    assert found.metadata == expected.metadata
    assert routed.rejected == dict(expected.rejected)
    assert (routed.series, routed.samples) == (expected.series, expected.samples)
    assert (routed.histograms, routed.exemplars) == (expected.histograms, expected.exemplars)
    assert routed.dropped == expected.dropped["samples"]
    assert routed.dropped_histograms == expected.dropped["histograms"]
    assert routed.dropped_exemplars == expected.dropped["exemplars"]


@settings(max_examples=200, deadline=None)
@given(requests_of_pairs | requests)
def test_rules_that_touch_nothing_change_nothing(body: bytes) -> None:
    plain = Router(PARTITIONS, cluster_label="cluster", replica_label="__replica__")
    assert route(body, [KEEP_ALL]) == plain.route(body, SEED, MIN, MAX, name_replicas=True)


def test_no_rules_are_no_rules() -> None:
    body = request(series(("__name__", "up")))
    assert Router(1, relabel=RelabelRules([])).route(body, SEED, MIN, MAX) == Router(1).route(body, SEED, MIN, MAX)


def test_a_rule_may_give_a_name_or_take_it() -> None:
    body = request(series(("job", "a"), samples=2))
    assert route(body, [{"source_labels": ["job"], "target_label": "__name__"}]).samples == 2
    named = request(series(("__name__", "up"), ("job", "a"), samples=2))
    assert route(named, [{"action": "labeldrop", "regex": "__name__"}]).rejected == {"missing_name": 2}
    assert route(body, [KEEP_ALL]).rejected == {"missing_name": 2}


def test_labels_are_counted_after_rules() -> None:
    many = request(series(("__name__", "up"), *((f"l{n}", "1") for n in range(20))))
    assert route(many, [{"action": "labeldrop", "regex": "l.*"}], max_label_pairs=5).samples == 1
    assert route(many, [KEEP_ALL], max_label_pairs=5).rejected == {"too_many_labels": 1}
    few = request(series(("__name__", "up"), ("a", "1")))
    assert route(few, [{"target_label": "b", "replacement": "x"}], max_label_pairs=2).rejected == {"too_many_labels": 1}


def test_a_label_without_a_name_that_a_rule_makes_is_refused() -> None:
    rule = {"action": "labelmap", "regex": "a(x)?", "replacement": "$1"}
    assert route(request(series(("__name__", "up"), ("a", "1"))), [rule]).rejected == {"empty_label_name": 1}


def test_a_dropped_series_is_dropped_with_all_that_is_wrong_with_it() -> None:
    dropped = series(("__name__", "up"), samples=3)
    dropped.samples[0].timestamp = MIN - 1
    routed = route(
        request(dropped, series(("__name__", "down"))),
        [{"action": "drop", "source_labels": ["__name__"], "regex": "up"}],
    )
    assert (routed.dropped, routed.samples, routed.rejected) == (3, 1, {})


def test_a_set_that_is_none_is_refused_before_rules() -> None:
    drop_all = {"action": "drop"}
    assert route(request(series(("__name__", "up"), ("a", "1"), ("a", "2"))), [drop_all]).rejected == {
        "duplicate_label": 1
    }


def test_a_replica_is_taken_off_after_rules() -> None:
    rules = [{"source_labels": ["pod"], "regex": "prometheus-(.)", "target_label": "__replica__"}]
    body = request(series(("__name__", "up"), ("cluster", "eu"), ("pod", "prometheus-1")))
    routed = route(body, rules)
    assert list(routed.replicas.values()) == [("eu", "1")]
    assert [label.name for label in written(routed)[0].labels] == [b"__name__", b"cluster", b"pod"]


def test_a_refused_series_is_shown_as_it_was_sent() -> None:
    body = request(series(("__name__", "up"), ("job", "a")))
    assert route(body, [{"action": "labeldrop", "regex": "__name__"}]).examples[0].series == '{__name__="up", job="a"}'


@pytest.mark.parametrize("limit", [300, 900])
def test_a_relabelled_series_is_split_as_any_other(limit: int) -> None:
    body = request(series(("__name__", "up"), samples=200))
    routed = route(body, [{"target_label": "cluster", "replacement": "eu"}], max_record_bytes=limit)
    assert routed.samples == 200
    assert all(len(record) <= limit for _, record in routed.records)
    assert {tuple(label.name for label in entry.labels) for entry in written(routed)} == {(b"__name__", b"cluster")}


def test_a_label_behind_the_samples_meets_the_rules_too() -> None:
    run = label_fields([(b"__name__", b"up")])
    body = text_field(1, run + text_field(2, b"\x10\xdc\x0b") + label_fields([(b"job", b"a")]))
    assert route(body, [{"action": "drop", "source_labels": ["job"], "regex": "a"}]).dropped == 1


@pytest.mark.parametrize("message", [1, 2])
def test_limits_are_about_the_labels_after_rules(message: int) -> None:
    sent = request(series(("__name__", "up"), ("long", "x" * 50), ("job", "a")))
    body = sent if message == 1 else as_v2(sent)
    limits: dict[str, Any] = {"message": message, "max_label_value_bytes": 20, "max_label_pairs": 2}
    drop = {"action": "labeldrop", "regex": "long"}
    longer = {"source_labels": ["job"], "target_label": "job", "replacement": "y" * 30}
    assert route(body, [drop], **limits).rejected == {}
    assert route(body, [KEEP_ALL], **limits).rejected == {"too_many_labels": 1}
    assert route(body, [drop, longer], **limits).rejected == {"label_value_too_long": 1}
    shadow = ("label_value_too_long", "too_many_labels")
    cases: list[tuple[list[dict[str, Any]], dict[str, int]]] = [
        ([drop], {}),
        ([KEEP_ALL], dict.fromkeys(shadow, 1)),
        ([drop, longer], {"label_value_too_long": 1}),
    ]
    for rules, counted in cases:
        routed = route(body, rules, shadow=shadow, **limits)
        assert (routed.rejected, routed.shadowed, routed.samples) == ({}, counted, 1)


def test_what_is_dropped_is_within_every_limit() -> None:
    body = request(*(series(("__name__", "up"), ("n", str(n)), samples=2) for n in range(9)))
    drop = {"action": "drop", "source_labels": ["n"], "regex": "[^8]"}
    routed = route(body, [drop], max_series_per_request=1, max_samples_per_request=2)
    assert (routed.dropped, routed.samples, routed.rejected) == (16, 2, {})


@pytest.mark.parametrize("message", [1, 2])
def test_labels_that_no_record_holds_do_not_meet_rules(message: int) -> None:
    sent = request(series(("__name__", "up"), ("long", "x" * (1 << 20))), series(("__name__", "up")))
    routed = route(sent if message == 1 else as_v2(sent), [{"action": "labeldrop", "regex": "long"}], message=message)
    assert (routed.rejected, routed.samples) == ({"series_too_large": 1}, 1)
