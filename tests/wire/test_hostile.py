"""Bad input costs the sender: an error, a count, and no more memory than a small multiple of the body."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.errors import InvalidData
from tests.wire import write_request_oracle as oracle
from tests.wire.hostile_bodies import BODIES
from tests.wire.labels_oracle import label_fields, text_field
from tests.wire.messages import Histogram, WriteRequest
from wire.write_request import Routed, Router

SEED, MIN, MAX = 5, 1_000, 2_000
ROOT = Path(__file__).parent.parent.parent
EXPECTED: dict[str, dict[str, Any]] = {
    "many_empty_series": {"missing_name": 4194304},
    "one_huge_label": {"series_too_large": 1},
    "one_series_of_empty_labels": {"empty_label_name": 1},
    "one_series_of_many_labels": {"too_many_labels": 1},
    "one_series_of_refused_samples": {"out_of_bounds_future": 2097152},
    "one_histogram_of_endless_spans": {"series_too_large": 1},
    "one_histogram_of_many_buckets": {"series_too_large": 1},
    "nested_deeply": {"invalid_utf8": 938},
}


@pytest.mark.parametrize("name", BODIES)
def test_memory_stays_a_small_multiple_of_the_body(name: str) -> None:
    """The records themselves are once the body; nothing is kept of what is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.wire.hostile_bodies", name], cwd=ROOT, check=True, capture_output=True, text=True
    )
    figures = json.loads(done.stdout)
    written = figures.get("records", 0) > 0
    assert figures["grown"] <= (4 * figures["body"] if written else 1 << 20)
    assert figures["seconds"] < 5
    assert figures.get("rejected", {}) == EXPECTED.get(name, {})
    assert figures.get("malformed", False) == (name == "many_groups")


def small_body() -> bytes:
    message = WriteRequest(
        timeseries=[
            {
                "labels": [{"name": b"__name__", "value": b"up"}, {"name": b"job", "value": b"node"}],
                "samples": [{"value": 1.5, "timestamp": 1500}, {"value": 2.5, "timestamp": 1600}],
                "exemplars": [{"labels": [{"name": b"id", "value": b"x"}], "value": 1.0, "timestamp": 1500}],
            },
            {
                "labels": [{"name": b"job", "value": b"node"}, {"name": b"__name__", "value": b"h"}],
                "histograms": [
                    {
                        "count_int": 4,
                        "sum": 5.0,
                        "positive_spans": [{"offset": -1, "length": 2}],
                        "positive_deltas": [1, 2],
                        "timestamp": 1500,
                    }
                ],
            },
        ],
        metadata=[{"type": 1, "metric_family_name": b"up", "help": b"Up."}],
    )
    data: bytes = message.SerializeToString()
    return data


def route(body: bytes) -> Routed:
    return Router(4).route(body, SEED, MIN, MAX)


def decodes(body: bytes) -> bool:
    try:
        WriteRequest.FromString(body)
    except Exception:  # noqa: BLE001 - the runtime has no public class for it
        return False
    return True


def accepted(bodies: Iterator[bytes]) -> list[bytes]:
    found = []
    for body in bodies:
        try:
            routed = route(body)
        except InvalidData:
            continue
        expected = oracle.route(body, SEED, MIN, MAX, partitions=4)
        assert oracle.read_records(routed.records, routed.replicas).entries == expected.entries
        assert routed.rejected == dict(expected.rejected)
        found.append(body)
    return found


def test_a_body_cut_at_any_byte_is_malformed_unless_protobuf_takes_it() -> None:
    body = small_body()
    cuts = [body[:size] for size in range(len(body) + 1)]
    assert accepted(iter(cuts)) == [cut for cut in cuts if decodes(cut)]


def test_a_flipped_bit_is_malformed_or_read_as_protobuf_reads_it() -> None:
    body = bytearray(small_body())

    def flipped() -> Iterator[bytes]:
        for at in range(len(body)):
            for bit in range(8):
                body[at] ^= 1 << bit
                yield bytes(body)
                body[at] ^= 1 << bit

    assert len(accepted(flipped())) > len(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\x08\x01",
        b"\x0d\x01\x02\x03\x04",
        b"\x18\x01",
        b"\x00",
        b"\x0b\x0c",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        text_field(1, b"\x08\x01"),
        text_field(1, b"\x10\x01"),
        text_field(1, text_field(1, b"\x08\x01")),
        text_field(1, text_field(2, b"\x08\x01")),
        text_field(1, text_field(2, b"\x11" + bytes(8))),
        text_field(1, text_field(2, b"\x10" + b"\x80" * 10 + b"\x01")),
        text_field(1, text_field(3, text_field(1, b"\x0a\x05a"))),
        text_field(1, text_field(4, text_field(13, bytes(7)))),
        text_field(1, text_field(4, text_field(12, b"\x80"))),
        text_field(1, text_field(4, b"\x09" + bytes(8))),
        text_field(3, b"\x12\x05ab"),
    ],
    ids=lambda body: body.hex(),
)
def test_what_is_no_write_request_is_malformed_and_takes_nothing_with_it(body: bytes) -> None:
    good = text_field(1, label_fields([(b"__name__", b"up")]) + text_field(2, b"\x10\xdc\x0b"))
    with pytest.raises(InvalidData, match=r"malformed write request: offset=\d+"):
        route(good + body)


HISTOGRAM: dict[str, Any] = {
    "count_int": 8,
    "zero_count_int": 1,
    "sum": 5.0,
    "schema": 3,
    "zero_threshold": 0.001,
    "positive_spans": [{"offset": -2, "length": 2}, {"offset": 1, "length": 1}],
    "positive_deltas": [2, -1, 1],
    "negative_spans": [{"offset": 0, "length": 1}],
    "negative_deltas": [2],
}
FLOAT: dict[str, Any] = {
    "count_float": 8.5,
    "zero_count_float": 1.0,
    "positive_spans": [{"offset": 0, "length": 2}],
    "positive_counts": [2.0, 0.0],
}
CUSTOM: dict[str, Any] = {
    "count_int": 3,
    "schema": -53,
    "positive_spans": [{"offset": 0, "length": 2}, {"offset": 0, "length": 1}],
    "positive_deltas": [1, 0, 0],
    "custom_values": [0.5, 1.0],
}
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("base", "change", "valid"),
    [
        (HISTOGRAM, {}, True),
        (HISTOGRAM, {"schema": -4}, True),
        (HISTOGRAM, {"schema": 8}, True),
        (HISTOGRAM, {"schema": -5}, False),
        (HISTOGRAM, {"schema": 9}, False),
        (HISTOGRAM, {"schema": -53}, False),
        (HISTOGRAM, {"count_int": 9}, False),
        (HISTOGRAM, {"count_int": 7}, False),
        (HISTOGRAM, {"count_int": 9, "sum": NAN}, True),
        (HISTOGRAM, {"count_int": 7, "sum": NAN}, False),
        (HISTOGRAM, {"positive_deltas": [2, -3, 4]}, False),
        (HISTOGRAM, {"positive_deltas": [2, -1]}, False),
        (HISTOGRAM, {"positive_spans": [{"length": 2}, {"offset": -1, "length": 1}]}, False),
        (HISTOGRAM, {"custom_values": [1.0]}, False),
        (HISTOGRAM, {"negative_counts": [1.0]}, False),
        (HISTOGRAM, {"zero_count_float": 1.0}, False),
        ({}, {}, True),
        ({}, {"sum": NAN}, True),
        (FLOAT, {}, True),
        (FLOAT, {"count_float": 1.0}, True),
        (FLOAT, {"positive_counts": [2.0, -1.0]}, False),
        (FLOAT, {"positive_counts": [2.0]}, False),
        (FLOAT, {"positive_deltas": [1]}, False),
        (CUSTOM, {}, True),
        (CUSTOM, {"custom_values": [0.5]}, False),
        (CUSTOM, {"custom_values": [1.0, 0.5]}, False),
        (CUSTOM, {"custom_values": [1.0, 1.0]}, False),
        (CUSTOM, {"custom_values": [1.0, NAN]}, False),
        (CUSTOM, {"custom_values": [1.0, INF]}, False),
        (CUSTOM, {"custom_values": [-INF, 1.0]}, False),
        (CUSTOM, {"zero_threshold": 0.5}, False),
        (CUSTOM, {"zero_count_int": 1, "count_int": 4}, False),
        (CUSTOM, {"negative_spans": [{"offset": 0, "length": 0}]}, False),
        (CUSTOM, {"positive_spans": [{"offset": -1, "length": 3}]}, False),
        (CUSTOM, {"positive_spans": [{"offset": 1, "length": 3}]}, False),
    ],
)
def test_a_histogram_is_valid_by_prometheus_rules(base: dict[str, Any], change: dict[str, Any], valid: bool) -> None:  # noqa: FBT001 - a parameter of the table
    entry = {"labels": [{"name": b"__name__", "value": b"h"}], "histograms": [{**base, **change, "timestamp": 1500}]}
    routed = route(WriteRequest(timeseries=[entry]).SerializeToString())
    assert routed.rejected == ({} if valid else {"invalid_histogram": 1})
    assert routed.histograms == valid


def test_packed_and_single_scalars_are_the_same_histogram() -> None:
    data = Histogram(**HISTOGRAM, timestamp=1500).SerializeToString()
    packed = text_field(12, b"\x04\x01\x02")
    assert packed in data
    single = data.replace(packed, b"\x60\x04" + text_field(12, b"\x01") + b"\x60\x02")
    assert Histogram.FromString(single) == Histogram.FromString(data)
    body = text_field(1, label_fields([(b"__name__", b"h")]) + text_field(4, single))
    assert route(body).histograms == 1
