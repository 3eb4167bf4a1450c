import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.errors import InvalidData
from tests.wire import write_request_oracle
from tests.wire import write_request_v2_oracle as oracle
from tests.wire.labels_oracle import label_fields, text_field
from tests.wire.messages import Exemplar, Label, MetricMetadata, Sample, TimeSeries, WriteRequest
from tests.wire.messages_v2 import Request, UnpackedRequest
from tests.wire.requests_v2 import Symbols, as_v2, request_v2, series_v2
from tests.wire.test_write_request import (
    MAX,
    MIN,
    PARTITIONS,
    SEED,
    STALE_NAN,
    entries,
    good_labels,
    label_lists,
    labels,
    request,
    samples,
    series,
    written,
)
from wire.snappy import BodyTooLarge
from wire.write_request import REASONS, Routed, Router


def route(body: bytes, **options: Any) -> Routed:
    return Router(PARTITIONS, **options).route(body, SEED, MIN, MAX, message=2)


metadata = st.none() | st.builds(
    MetricMetadata,
    type=st.integers(0, 7),
    help=st.sampled_from([b"", b"Help.", b"\xff"]),
    unit=st.sampled_from([b"", b"s"]),
)
named = st.sampled_from(["up", "h_bucket", "h_sum", "_sum"]).map(
    lambda name: [Label(name=b"__name__", value=name.encode())]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Mostly good; references may point anywhere, be too few, be packed or not, and come before the symbols."""
    symbols = Symbols()
    made = [
        series_v2(each, symbols, draw(metadata))
        for each in draw(
            st.lists(entries | st.builds(TimeSeries, labels=named, samples=st.lists(samples, max_size=2)), max_size=6)
        )
    ]
    for each in made:
        if each.labels_refs and not draw(st.integers(0, 5)):
            each.labels_refs[draw(st.integers(0, len(each.labels_refs) - 1))] += draw(st.integers(0, 9))
        if each.labels_refs and not draw(st.integers(0, 9)):
            each.labels_refs.pop()
        if each.exemplars and not draw(st.integers(0, 3)):
            each.exemplars[0].labels_refs.append(draw(st.integers(0, 99)))
        if not draw(st.integers(0, 9)):
            each.metadata.unit_ref = 99
    table = Request(symbols=symbols.texts).SerializeToString()
    rest = Request(timeseries=made).SerializeToString()
    if draw(st.booleans()):
        rest = UnpackedRequest.FromString(rest).SerializeToString()
    parts: tuple[bytes, bytes] = (table, rest) if draw(st.booleans()) else (rest, table)
    return b"".join(parts)


@settings(max_examples=300)
@given(requests())
def test_records_hold_what_the_oracle_says(body: bytes) -> None:
    routed = route(body, max_label_pairs=3)
    expected = oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS, max_label_pairs=3)
    found = write_request_oracle.read_records(routed.records, routed.replicas)
    assert found.entries == expected.entries
    assert found.metadata == expected.metadata
    assert routed.rejected == dict(expected.rejected)
    assert (routed.series, routed.samples) == (expected.series, expected.samples)
    assert (routed.histograms, routed.exemplars) == (expected.histograms, expected.exemplars)
    assert routed.metadata == sum(map(len, expected.metadata.values()))
    assert set(routed.rejected) <= set(REASONS)


@given(st.lists(st.builds(TimeSeries, labels=good_labels, samples=st.lists(samples, max_size=3)), max_size=6))
def test_the_same_samples_over_both_protocols_are_the_same_records(entries_of: list[Any]) -> None:
    body = request(*entries_of)
    assert route(as_v2(body)) == Router(PARTITIONS).route(body, SEED, MIN, MAX)


@given(st.lists(entries, max_size=6))
def test_everything_over_both_protocols_goes_to_the_same_place_and_for_the_same_reasons(entries_of: list[Any]) -> None:
    body = request(*entries_of)
    one, two = Router(PARTITIONS).route(body, SEED, MIN, MAX), route(as_v2(body))
    read = [write_request_oracle.read_records(each.records, each.replicas).entries for each in (one, two)]
    assert read[0] == read[1]
    assert (one.rejected, one.series, one.samples) == (two.rejected, two.series, two.samples)
    assert sum(one.rejected.values()) > 10 or sorted(map(str, one.examples)) == sorted(map(str, two.examples))


@given(requests())
def test_a_record_routed_again_as_1_0_stays_where_and_as_it_is(body: bytes) -> None:
    for partition, record in route(body).records:
        again = Router(PARTITIONS).route(record, SEED, MIN, MAX)
        assert again.records == [(partition, record)]
        assert again.rejected == {}


@given(requests(), st.integers(120, 400))
def test_small_records_keep_their_limit(body: bytes, limit: int) -> None:
    whole, split = route(body), route(body, max_record_bytes=limit)
    assert all(len(record) <= limit for _, record in split.records)
    if not {"series_too_large", "metadata_too_large"} & set(split.rejected):
        assert (split.rejected, split.samples, split.exemplars) == (whole.rejected, whole.samples, whole.exemplars)


@pytest.mark.parametrize("bits", [STALE_NAN, 0x7FF8000000000001, 1 << 63, 0xFFF0000000000123])
def test_value_bits_and_start_timestamps_are_kept(bits: int) -> None:
    sample = b"\x09" + struct.pack("<Q", bits) + b"\x10\xdc\x0b" + b"\x18\x05"
    body = text_field(4, b"") + text_field(4, b"__name__") + text_field(4, b"up")
    body += text_field(5, text_field(1, b"\x01\x02") + text_field(2, sample))
    run = label_fields([(b"__name__", b"up")])
    assert Router(1).route(body, SEED, MIN, MAX, message=2).records == [(0, text_field(1, run + text_field(2, sample)))]


def test_metadata_is_written_once_for_a_family() -> None:
    said = MetricMetadata(type=3, help=b"How long.", unit=b"s")
    parts = [TimeSeries(labels=[Label(name=b"__name__", value=name)]) for name in (b"h_bucket", b"h_sum", b"h_count")]
    for each in parts:
        each.samples.append(Sample(timestamp=1500))
    routed = route(request_v2(*parts, *parts, metadata=said).SerializeToString())
    said.metric_family_name = b"h"
    assert routed.metadata == 1
    assert [list(WriteRequest.FromString(record).metadata) for _, record in routed.records].count([said]) == 1


def test_metadata_of_a_series_that_is_refused_is_left_out() -> None:
    made = request_v2(TimeSeries(labels=[Label(name=b"job", value=b"x")]), metadata=MetricMetadata(type=1))
    assert (route(made.SerializeToString()).metadata, route(made.SerializeToString()).records) == (0, [])


def test_exemplars_alone_are_written_and_counted() -> None:
    exemplar = Exemplar(labels=[Label(name=b"trace_id", value=b"abc")], value=-0.0, timestamp=5)
    routed = route(as_v2(request(TimeSeries(labels=labels(), exemplars=[exemplar]))))
    assert (routed.series, routed.samples, routed.exemplars) == (1, 0, 1)
    assert list(written(routed)[0].exemplars) == [exemplar]


def _table(*texts: bytes) -> bytes:
    return b"".join(text_field(4, text) for text in texts)


GOOD = text_field(5, text_field(1, b"\x01\x02") + text_field(2, b"\x10\xdc\x0b"))


@pytest.mark.parametrize(
    "body", [GOOD, _table(b"__name__", b"up") + GOOD, _table(b"x")], ids=["none", "not empty", "x"]
)
def test_a_table_that_does_not_begin_with_the_empty_string_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidData, match="no symbol table"):
        route(body)


@pytest.mark.parametrize("body", [b"", _table(b""), _table(b"", b"up")])
def test_a_request_without_series_is_empty(body: bytes) -> None:
    assert route(body) == Routed([], *route(b"")[1:])


def test_neither_message_is_taken_for_the_other() -> None:
    one, two = request(series(1500)), as_v2(request(series(1500)))
    with pytest.raises(InvalidData, match="not the message that the headers name"):
        route(one)
    with pytest.raises(InvalidData, match="not the message that the headers name"):
        Router(1).route(two, SEED, MIN, MAX)
    with pytest.raises(ValueError, match="message=3"):
        Router(1).route(two, SEED, MIN, MAX, message=3)


@pytest.mark.parametrize(
    "entry",
    [
        text_field(1, b"\x80"),
        b"\x09" + bytes(8),
        text_field(2, b"\x08\x01"),
        text_field(3, b"\x09" + bytes(8)),
        text_field(4, text_field(1, b"\x80")),
        text_field(4, b"\x10\x01"),
        text_field(5, b"\x0a\x01a"),
        b"\x10\x01",
        b"\x0b",
    ],
    ids=lambda entry: entry.hex(),
)
def test_what_is_no_request_is_malformed_and_takes_nothing_with_it(entry: bytes) -> None:
    with pytest.raises(InvalidData, match=r"malformed write request: offset=\d+"):
        route(_table(b"", b"__name__", b"up") + GOOD + text_field(5, text_field(1, b"\x01\x02") + entry))


@pytest.mark.parametrize(
    ("change", "reason", "shown"),
    [
        (lambda entry: entry.labels_refs.append(1), "invalid_symbols", '{__name__="up", job="x", __name__}'),
        (
            lambda entry: entry.labels_refs.extend([3, 9]),
            "invalid_symbols",
            '{__name__="up", job="x", job="symbol 9?"}',
        ),
        (lambda entry: entry.labels_refs.extend([0, 2]), "empty_label_name", '{__name__="up", job="x", ="up"}'),
        (lambda entry: entry.labels_refs.extend([3, 5]), "invalid_utf8", '{__name__="up", job="x", job="�"}'),
        (lambda entry: entry.labels_refs.extend([3, 2]), "duplicate_label", '{__name__="up", job="x", job="up"}'),
        (lambda entry: entry.ClearField("labels_refs"), "missing_name", "{}"),
    ],
)
def test_a_refused_series_is_shown_as_it_was_sent(change: Callable[[Any], object], reason: str, shown: str) -> None:
    made = request_v2(series(1500, 1600, job="x"), series(1500))
    made.symbols.append(b"\xff")
    change(made.timeseries[0])
    routed = route(made.SerializeToString())
    assert routed.rejected == {reason: 2}
    assert [(each.reason, each.series) for each in routed.examples] == [(reason, shown)]
    assert routed.samples == 1


def test_what_a_few_bytes_may_ask_for_is_bounded() -> None:
    """A megabyte that is named by many series, whether they are written or refused."""
    huge = series(1500, z="x" * 100_000)
    body = request_v2(*[huge] * 50).SerializeToString()
    assert route(body, max_repeated_bytes=50 * 100_100).samples == 50
    for each in (body, request_v2(*[TimeSeries(labels=huge.labels[1:])] * 50).SerializeToString()):
        with pytest.raises(BodyTooLarge, match="limit=4000000"):
            route(each, max_repeated_bytes=4_000_000)


def test_exemplars_may_not_ask_for_much_either() -> None:
    exemplar = Exemplar(labels=[Label(name=b"z", value=b"x" * 100_000)], timestamp=1500)
    body = as_v2(request(TimeSeries(labels=labels(), exemplars=[exemplar] * 50)))
    assert route(body).exemplars == 50
    with pytest.raises(BodyTooLarge, match="limit=4000000"):
        route(body, max_repeated_bytes=4_000_000)


def test_labels_in_any_order_and_of_any_number_are_canonical() -> None:
    rng = random.Random(5)
    names = [f"l{n:03}" for n in range(100)]
    expected = route(as_v2(request(series(1500, **dict.fromkeys(names, "v")))))
    for _ in range(5):
        rng.shuffle(names)
        assert route(as_v2(request(series(1500, **dict.fromkeys(names, "v"))))) == expected


def test_replicas_are_named() -> None:
    made = series(1500, cluster="eu", __replica__="a")
    router = Router(PARTITIONS, cluster_label="cluster", replica_label="__replica__")
    one = router.route(request(made), SEED, MIN, MAX, name_replicas=True)
    assert one.replicas == {0: ("eu", "a")}
    assert router.route(as_v2(request(made)), SEED, MIN, MAX, message=2, name_replicas=True) == one


@given(st.lists(label_lists, max_size=3))
def test_labels_in_several_fields_are_one_set(lists: list[Any]) -> None:
    symbols = Symbols()
    packed = [bytes(symbols.refs(each)) for each in lists]
    sample = text_field(2, b"\x10\xdc\x0b")
    entry = sample.join(text_field(1, each) for each in packed) + sample
    body = text_field(5, entry) + _table(*symbols.texts)
    flat = TimeSeries.FromString(entry[:0])
    flat.labels.extend(label for each in lists for label in each)
    flat.samples.extend([Sample(timestamp=1500)] * max(1, len(lists)))
    one, two = Router(PARTITIONS).route(request(flat), SEED, MIN, MAX), route(body)
    assert (two.rejected, two.samples) == (one.rejected, one.samples)
