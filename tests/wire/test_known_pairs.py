"""Series that share labels, names and values, as those of senders do: what is known of a pair must not mislead."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import write_request_oracle
from tests.wire import write_request_v2_oracle as oracle
from tests.wire.messages import Label, MetricMetadata, Sample, TimeSeries
from tests.wire.messages_v2 import Request
from tests.wire.requests_v2 import Symbols, as_v2, request_v2, series_v2
from tests.wire.test_write_request import MAX, MIN, PARTITIONS, SEED, request
from wire.write_request import Routed, Router

HA = (b"cluster", b"__replica__")
NAMES = [b"__name__", b"__replica__", b"a", b"ab", b"cluster", b"up"]
TEXTS = [*NAMES, b"x", b"y" * 40, b"z" * 300]
ODD = [b"", b"\xff", b"q" * 1100]

pairs = st.dictionaries(st.sampled_from(NAMES[1:]), st.sampled_from(TEXTS), max_size=4)
metadata = st.none() | st.builds(
    MetricMetadata, type=st.integers(0, 5), help=st.sampled_from([b"", b"Help."]), unit=st.sampled_from([b"", b"s"])
)


def _series(name: bytes, labels: list[tuple[bytes, bytes]], time: int) -> Any:
    found = [(b"__name__", name), *labels]
    return TimeSeries(labels=[Label(name=n, value=v) for n, v in found], samples=[Sample(value=1.5, timestamp=time)])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Series with sorted labels, mostly; now and then one has a label more, which may be anything, anywhere."""
    symbols, made = Symbols(), []
    for _ in range(draw(st.integers(1, 12))):
        labels = sorted(draw(pairs).items())
        if not draw(st.integers(0, 4)):
            odd = (draw(st.sampled_from([*NAMES, *ODD])), draw(st.sampled_from([*TEXTS, *ODD])))
            labels.insert(draw(st.integers(0, len(labels))), odd)
        time = draw(st.sampled_from([1500, 1500, 1500, 1600, 0, 1 << 40]))
        made.append(series_v2(_series(draw(st.sampled_from(TEXTS)), labels, time), symbols, draw(metadata)))
    body: bytes = Request(symbols=symbols.texts, timeseries=made).SerializeToString()
    return body


def _route(body: bytes, **options: Any) -> Routed:
    router = Router(PARTITIONS, cluster_label="cluster", replica_label="__replica__", **options)
    return router.route(body, SEED, MIN, MAX, message=2, name_replicas=True)


@settings(max_examples=300)
@given(requests())
def test_what_was_seen_before_changes_nothing(body: bytes) -> None:
    routed = _route(body, max_label_pairs=4)
    expected = oracle.route(body, SEED, MIN, MAX, partitions=PARTITIONS, max_label_pairs=4, ha=HA)
    found = write_request_oracle.read_records(routed.records, routed.replicas)
    assert found.entries == expected.entries
    assert found.metadata == expected.metadata
    assert routed.rejected == dict(expected.rejected)
    assert (routed.series, routed.samples) == (expected.series, expected.samples)


@given(requests())
def test_labels_count_for_each_time_they_are_referred_to(body: bytes) -> None:
    """Whether a label was seen before or not."""
    symbols = list(Request.FromString(body).symbols)
    refs = [ref for series in Request.FromString(body).timeseries for ref in series.labels_refs]
    names, values = refs[::2], refs[1::2]
    size = sum(len(symbols[name]) + len(symbols[value]) for name, value in zip(names, values, strict=True) if value)
    assert _route(body, max_repeated_bytes=size + 2000).series >= 0
    without = Request(symbols=symbols)
    without.timeseries.extend(Request.FromString(body).timeseries)
    for series in without.timeseries:
        series.ClearField("metadata")
    bare: bytes = without.SerializeToString()
    assert _route(bare, max_repeated_bytes=size) == _route(bare)


def test_more_values_than_there_are_places() -> None:
    """Two values share a place where there are more symbols than 65,536."""
    many = [_series(b"up", [(b"a", b"%d" % number)], 1500) for number in range(70_000)]
    many += many[:10]
    body = request(*many)
    assert _route(as_v2(body)) == Router(PARTITIONS).route(body, SEED, MIN, MAX)


def test_what_is_said_of_a_name_may_change() -> None:
    one, two = (MetricMetadata(type=1, help=help_text) for help_text in (b"One.", b"Two."))
    symbols = Symbols()
    made = [series_v2(_series(b"up", [], 1500), symbols, said) for said in (one, one, two, one, two)]
    body = Request(symbols=symbols.texts, timeseries=made).SerializeToString()
    assert _route(body).metadata == 2


def test_limits_of_labels_hold_for_those_seen_before() -> None:
    long = _series(b"up", [(b"a", b"x" * 20)], 1500)
    body = request_v2(long, long, _series(b"up", [], 1500)).SerializeToString()
    assert _route(body, max_label_value_bytes=10).rejected == {"label_value_too_long": 2}
    assert _route(body, max_label_value_bytes=10, shadow=["label_value_too_long"]).samples == 3
    assert _route(body, max_series_per_request=1).rejected == {"too_many_series": 2}
    assert _route(body, max_samples_per_request=2).rejected == {"too_many_samples": 1}
