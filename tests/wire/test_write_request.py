import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.errors import InvalidData
from tests.wire import write_request_oracle as oracle
from tests.wire.labels_oracle import label_fields, text_field, varint
from tests.wire.messages import BucketSpan, Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest
from wire.hashing import tenant_seed
from wire.labels import canonical_check
from wire.write_request import LIMIT_REASONS, REASONS, Routed, Router

SEED = tenant_seed(b"team-a")
MIN, MAX = 1_000, 2_000
PARTITIONS = 8
STALE_NAN = 0x7FF0000000000002


def labels(**more: str) -> list[Any]:
    pairs = {"__name__": "up", **more}
    return [Label(name=name.encode(), value=value.encode()) for name, value in pairs.items()]


def series(*times: int, **more: str) -> Any:
    return TimeSeries(labels=labels(**more), samples=[Sample(value=1.5, timestamp=t) for t in times])


def request(*entries: Any, **more: Any) -> bytes:
    data: bytes = WriteRequest(timeseries=entries, **more).SerializeToString()
    return data


def route(body: bytes, **options: Any) -> Routed:
    return Router(PARTITIONS, **options).route(body, SEED, MIN, MAX)


def written(routed: Routed) -> list[Any]:
    """All TimeSeries of all records."""
    return [entry for _, record in routed.records for entry in WriteRequest.FromString(record).timeseries]


label_text = st.sampled_from([b"__name__", b"job", b"le", b"A", b"z", b"", b"\xff", "é".encode()]) | st.binary(
    max_size=3
)
label_lists = st.lists(st.builds(Label, name=label_text, value=label_text), max_size=4)
good_labels = st.dictionaries(st.text("abcXYZé", min_size=1, max_size=3), st.text(max_size=5), max_size=4).map(
    lambda pairs: labels(**pairs)
)
times = st.integers(MIN - 2, MAX + 2) | st.sampled_from([0, -1, -(2**63), 2**63 - 1])
doubles = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0])
samples = st.builds(Sample, value=doubles, timestamp=times)
exemplars = st.builds(Exemplar, labels=label_lists, value=doubles, timestamp=times)
spans = st.lists(st.builds(BucketSpan, offset=st.integers(-1, 2), length=st.integers(0, 2)), max_size=2)
deltas = st.lists(st.integers(-2, 3) | st.integers(-(2**63), 2**63 - 1), max_size=3)
floats = st.lists(st.sampled_from([0.0, 1.0, -1.0, 2.5, float("inf"), float("nan")]), max_size=3)
histograms = st.builds(
    Histogram,
    count_int=st.none() | st.integers(0, 6),
    sum=st.sampled_from([1.0, float("nan")]),
    schema=st.sampled_from([0, 3, -4, 8, -5, 9, -53]),
    zero_threshold=st.sampled_from([0.0, 0.001]),
    zero_count_int=st.none() | st.integers(0, 2),
    negative_spans=spans,
    negative_deltas=deltas,
    positive_spans=spans,
    positive_deltas=deltas,
    timestamp=times,
    custom_values=floats,
) | st.builds(
    Histogram,
    count_float=st.floats(0, 10),
    schema=st.sampled_from([0, -53]),
    zero_count_float=st.none() | st.sampled_from([0.0, 1.0, float("nan")]),
    positive_spans=spans,
    positive_counts=floats,
    positive_deltas=st.just([]) | deltas,
    timestamp=times,
    custom_values=floats,
)
entries = st.builds(
    TimeSeries,
    labels=good_labels | label_lists,
    samples=st.lists(samples, max_size=3),
    exemplars=st.lists(exemplars, max_size=2),
    histograms=st.lists(histograms, max_size=2),
)
metadata = st.builds(MetricMetadata, type=st.integers(0, 7), metric_family_name=label_text, help=label_text)
requests = st.builds(
    WriteRequest, timeseries=st.lists(entries, max_size=6), metadata=st.lists(metadata, max_size=3)
).map(lambda message: message.SerializeToString())


@settings(max_examples=200)
@given(requests)
def test_records_hold_what_the_oracle_says(body: bytes) -> None:
    routed = route(body, max_label_pairs=3)
    expected = oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS, max_label_pairs=3)
    found = oracle.read_records(routed.records, routed.replicas)
    assert found.entries == expected.entries
    assert found.metadata == expected.metadata
    assert routed.rejected == dict(expected.rejected)
    assert (routed.series, routed.samples) == (expected.series, expected.samples)
    assert (routed.histograms, routed.exemplars) == (expected.histograms, expected.exemplars)
    assert routed.metadata == sum(map(len, expected.metadata.values()))
    assert set(routed.rejected) <= set(REASONS)


@given(requests)
def test_a_record_routed_again_stays_where_and_as_it_is(body: bytes) -> None:
    for partition, record in route(body).records:
        again = route(record)
        assert again.records == [(partition, record)]
        assert again.rejected == {}


@given(requests)
def test_every_entry_begins_with_its_labels_in_canonical_form(body: bytes) -> None:
    for entry in written(route(body)):
        run = label_fields((label.name, label.value) for label in entry.labels)
        assert entry.SerializeToString().startswith(run)
        assert canonical_check(run) == ""


@given(requests, st.integers(120, 400))
def test_small_records_hold_the_same_and_keep_their_limit(body: bytes, limit: int) -> None:
    whole, split = route(body), route(body, max_record_bytes=limit)
    assert all(len(record) <= limit for _, record in split.records)
    refused = split.rejected.pop("series_too_large", 0) + split.rejected.pop("metadata_too_large", 0)
    if not refused:
        assert split.rejected == whole.rejected
        assert (split.samples, split.histograms, split.exemplars) == (whole.samples, whole.histograms, whole.exemplars)
        one, many = (_samples_in_order(routed) for routed in (whole, split))
        assert one == many


def _samples_in_order(routed: Routed) -> dict[tuple[oracle.Place, bytes], list[bytes]]:
    found: dict[tuple[oracle.Place, bytes], list[bytes]] = {}
    for place, series_of in oracle.read_records(routed.records, routed.replicas).entries.items():
        for run, *kinds in series_of:
            for messages in kinds:
                found.setdefault((place, run), []).extend(messages)
    return {key: sorted(messages) for key, messages in found.items()}


def test_canonical_entries_are_copied_byte_for_byte() -> None:
    body = request(series(1500, job="node"), series(1500, 1400, job="api"))
    routed = Router(1).route(body, SEED, MIN, MAX)
    assert routed.records == [(0, body)]


@pytest.mark.parametrize("bits", [STALE_NAN, 0x7FF8000000000001, 1 << 63, 0xFFF0000000000123])
@pytest.mark.parametrize("names", [("__name__", "job"), ("job", "__name__")], ids=["copied", "written anew"])
def test_value_bits_are_kept(bits: int, names: tuple[str, str]) -> None:
    pattern = struct.pack("<Q", bits)
    run = label_fields((name.encode(), b"x") for name in names)
    body = text_field(1, run + text_field(2, b"\x09" + pattern + b"\x10\xdc\x0b"))
    ((_, record),) = route(body).records
    assert record.count(b"\x09" + pattern) == 1


def test_a_missing_timestamp_is_zero_and_the_last_of_two_counts() -> None:
    run = label_fields([(b"__name__", b"up")])
    two = b"\x10\x05" + b"\x09" + bytes(8) + b"\x10" + varint(1500)
    body = text_field(1, run + text_field(2, b"") + text_field(2, two))
    routed = Router(1).route(body, SEED, 1, MAX)
    assert routed.rejected == {"out_of_bounds_past": 1}
    assert routed.samples == 1
    assert Router(1).route(body, SEED, 0, MAX).samples == 2


def test_bounds_are_inclusive() -> None:
    routed = route(request(series(MIN - 1, MIN, MAX, MAX + 1)))
    assert routed.samples == 2
    assert routed.rejected == {"out_of_bounds_past": 1, "out_of_bounds_future": 1}
    assert [(each.reason, each.timestamp) for each in routed.examples] == [
        ("out_of_bounds_past", MIN - 1),
        ("out_of_bounds_future", MAX + 1),
    ]


def test_a_label_set_alone_is_neither_written_nor_refused() -> None:
    routed = route(request(series()))
    assert routed.records == []
    assert routed.rejected == {}


def test_exemplars_alone_are_written() -> None:
    routed = route(request(TimeSeries(labels=labels(), exemplars=[Exemplar(value=1, timestamp=5)])))
    assert (routed.series, routed.samples, routed.exemplars) == (1, 0, 1)
    assert len(written(routed)) == 1


def test_labels_behind_samples_belong_to_the_set() -> None:
    split = label_fields([(b"__name__", b"up")]) + text_field(2, b"\x10\xdc\x0b") + label_fields([(b"job", b"x")])
    (entry,) = written(route(text_field(1, split)))
    assert [label.name for label in entry.labels] == [b"__name__", b"job"]
    assert len(entry.samples) == 1


def test_unknown_fields_of_an_entry_are_left_out_and_those_of_the_request_skipped() -> None:
    run = label_fields([(b"__name__", b"up")])
    sample = text_field(2, b"\x10\xdc\x0b")
    body = b"\x78\x05" + text_field(1, run + b"\x78\x05" + sample + text_field(9, b"new")) + text_field(20, b"later")
    assert Router(1).route(body, SEED, MIN, MAX).records == [(0, text_field(1, run + sample))]


@pytest.mark.parametrize(
    ("entry", "reason", "refused"),
    [
        (TimeSeries(labels=[Label(name=b"job", value=b"x")], samples=[Sample(timestamp=1500)] * 3), "missing_name", 3),
        (TimeSeries(samples=[Sample(timestamp=1500)]), "missing_name", 1),
        (TimeSeries(), "missing_name", 1),
        (TimeSeries(labels=[Label(name=b"__name__"), Label(name=b"a", value=b"b")]), "missing_name", 1),
        (TimeSeries(labels=[*labels(), Label(value=b"x")], samples=[Sample(timestamp=1500)]), "empty_label_name", 1),
        (TimeSeries(labels=[*labels(a="1"), *labels(a="2")], samples=[Sample(timestamp=1500)]), "duplicate_label", 1),
        (TimeSeries(labels=[*labels(), Label(name=b"a", value=b"\xff")]), "invalid_utf8", 1),
        (TimeSeries(labels=[*labels(), Label(name=b"\xff", value=b"a")]), "invalid_utf8", 1),
        (TimeSeries(labels=labels(**{f"l{n:02}": "v" for n in range(30)})), "too_many_labels", 1),
        (TimeSeries(labels=labels(a="x" * 5000), samples=[Sample(timestamp=1500)] * 2), "series_too_large", 2),
        (series(MIN - 1), "out_of_bounds_past", 1),
        (series(MAX + 1), "out_of_bounds_future", 1),
        (
            TimeSeries(labels=labels(), histograms=[Histogram(count_int=1, timestamp=1500)] * 2),
            "invalid_histogram",
            2,
        ),
    ],
)
def test_each_reason_refuses_its_own_and_nothing_else(entry: Any, reason: str, refused: int) -> None:
    good = [series(1500, job="before"), series(1500, job="after")]
    body = request(good[0], entry, good[1])
    routed = route(body, max_label_pairs=30, max_record_bytes=4096)
    assert routed.rejected == {reason: refused}
    assert routed.examples[0].reason == reason
    assert len(routed.examples) <= refused
    assert sorted(map(str, written(routed))) == sorted(map(str, good))


def test_metadata_that_cannot_be_stored_is_refused() -> None:
    bad = [MetricMetadata(help=b"x" * 9000, metric_family_name=b"up"), MetricMetadata(), MetricMetadata(unit=b"\xff")]
    routed = route(
        request(series(1500), metadata=[*bad, MetricMetadata(metric_family_name=b"up")]), max_record_bytes=4096
    )
    assert routed.rejected == {"metadata_too_large": 1, "missing_name": 1, "invalid_utf8": 1}
    assert (routed.metadata, routed.samples) == (1, 1)
    assert {each.series for each in routed.examples} == {'{__name__="up"}', '{__name__=""}'}


def test_every_reason_has_a_case() -> None:
    marks = test_each_reason_refuses_its_own_and_nothing_else.pytestmark
    cases = {case[1] for mark in marks for case in mark.args[1]}
    assert cases | {"metadata_too_large"} | set(LIMIT_REASONS) == set(REASONS) - {"invalid_symbols"}


def test_a_refused_series_is_shown_shortened_and_decodable() -> None:
    body = request(
        TimeSeries(labels=[Label(name=b"job", value=b"\xffx")]),
        TimeSeries(labels=[Label(name=b"huge", value=b"y" * 1_000_000)]),
    )
    first, second = route(body).examples
    assert (first.series, first.timestamp) == ('{job="�x"}', None)
    assert len(second.series) == 200
    assert second.series.startswith('{huge="yyy')


def test_no_more_examples_than_asked_for() -> None:
    body = request(*[series(MIN - 1)] * 30)
    assert len(route(body).examples) == 10
    assert route(body, max_examples=0).examples == []
    assert route(body, max_examples=0).rejected == {"out_of_bounds_past": 30}


def test_a_long_series_is_split_with_its_labels_repeated() -> None:
    times = list(range(MIN, MAX))
    routed = route(request(series(*times, job="x")), max_record_bytes=1024)
    assert len(routed.records) > 10
    assert len({partition for partition, _ in routed.records}) == 1
    found = written(routed)
    assert [sample.timestamp for entry in found for sample in entry.samples] == times
    assert {str(entry.labels) for entry in found} == {str(labels(job="x"))}
    assert routed.samples == len(times)


def test_one_element_that_fits_no_record_is_refused_alone() -> None:
    huge = Exemplar(labels=[Label(name=b"trace", value=b"t" * 5000)])
    entry = TimeSeries(labels=labels(), samples=[Sample(timestamp=1500)], exemplars=[huge])
    routed = route(request(entry), max_record_bytes=4096)
    assert routed.rejected == {"series_too_large": 1}
    assert routed.samples == 1


def test_an_empty_body_is_an_empty_request() -> None:
    assert route(b"") == Routed([], 0, 0, 0, 0, 0, {}, [], {}, 0)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_contiguous_buffer_will_do(kind: Any) -> None:
    body = request(series(1500))
    assert route(kind(body)) == route(body)


@pytest.mark.parametrize(
    "options", [{"partitions": 0}, {"max_record_bytes": 1}, {"max_label_pairs": -1}, {"max_examples": -1}]
)
def test_settings_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Router(**{"partitions": 1, **options})


def test_a_body_that_ends_early_is_named_with_its_offset() -> None:
    body = request(series(1500), series(1600))
    with pytest.raises(InvalidData, match=rf"malformed write request: offset={len(body) // 2} bytes={len(body) - 1}"):
        route(body[:-1])
