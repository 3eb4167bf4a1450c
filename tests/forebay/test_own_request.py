"""The process' own metrics as a request, read by protobuf's own runtime."""

import struct

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from forebay.own_request import STALE, collect, encode
from tests.wire.messages import WriteRequest

TARGET = {"job": "forebay", "instance": "host:9201"}
OWN = (("instance", "host:9201"), ("job", "forebay"))
AT = 1_700_006_400_000


def decoded(body: bytes) -> dict[tuple[tuple[str, str], ...], tuple[float, int]]:
    request = WriteRequest()
    request.ParseFromString(body)
    found = {}
    for entry in request.timeseries:
        labels = tuple((label.name.decode(), label.value.decode()) for label in entry.labels)
        assert list(labels) == sorted(labels)
        (sample,) = entry.samples
        found[labels] = (sample.value, sample.timestamp)
    return found


def test_every_sample_is_there_as_a_scrape_would_have_it() -> None:
    registry = CollectorRegistry()
    Counter("writes_total", "Writes.", ["code"], registry=registry).labels("204").inc(3)
    Gauge("temperature", "Cold.", registry=registry).set(-1.5)
    Histogram("latency_seconds", "Slow.", buckets=(0.1, 1.0), registry=registry).observe(0.5)
    found = decoded(encode(collect(registry, TARGET).items(), AT))
    assert found[("__name__", "writes_total"), ("code", "204"), *OWN] == (3.0, AT)
    assert found[("__name__", "temperature"), *OWN] == (-1.5, AT)
    assert found[("__name__", "latency_seconds_bucket"), *OWN, ("le", "+Inf")] == (1.0, AT)
    assert found[("__name__", "latency_seconds_sum"), *OWN] == (0.5, AT)
    assert not any(labels[0][1].endswith("_created") for labels in found)


def test_empty_label_values_are_left_out_and_the_target_wins() -> None:
    registry = CollectorRegistry()
    Gauge("up", "Up.", ["job", "zone"], registry=registry).labels("other", "").set(1)
    (labels,) = decoded(encode(collect(registry, TARGET).items(), AT))
    assert labels == (("__name__", "up"), *OWN)


def test_the_stale_marker_keeps_its_payload() -> None:
    body = encode([((("__name__", "up"),), STALE)], AT)
    assert struct.pack("<Q", 0x7FF0000000000002) in body


def test_long_values_and_odd_text_survive() -> None:
    series = (("__name__", "up"), ("text", "x" * 300 + "é\n"))
    assert list(decoded(encode([(series, bytes(8))], AT))) == [series]
