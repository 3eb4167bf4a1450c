"""Good inputs to begin with, by kind; what the mutator makes of them reaches further than noise would."""

import struct
from typing import Any

from tests.wire import record_v2
from tests.wire.labels_oracle import canonical, label_fields, text_field, varint
from tests.wire.messages import Histogram, MetricMetadata, ReadRequest, WriteRequest
from tests.wire.messages_v2 import UnpackedRequest
from tests.wire.requests_v2 import request_v2

NOW = 1_700_000_000_000
_SEED = 7
_CHUNKS = """\
00 02 80 c0 b8 84 fa 62 3f f0 00 00 00 00 00 00 98 75 00
00 03 00 74 8c a4 8c 5f c0 00 31 7a 08 e2 00 16 8a 00 a0 00 00 00 00 00 04 af 1f 83 a9 8a 47 50 db c4 5e f1 60
00 01 00 00 ee 5c 66 4f be be 3e 9f 4e 2f f0 00 0c 5e 82 38 80 05 48 03 c0 00 00 00 00 00 11 88
00 01 00 74 8c a4 8c 5f c0 00 31 7a 08 e2 00 08 03 00 00 00 00 00 00 07 fe 00 00 00 00 00 00 08 02 80 00 00 \
00 00 00 08 00 00 00 00 00 00 00 07 fe 00 00 00 00 00 00 08 00 00 00 00 00 00 00 1f 07
"""
_NAMES = {"__name__": "http_requests_total", "instance": "10.0.0.1:9100", "job": "node", "zone": "é"}


def _labels(**more: str) -> list[dict[str, bytes]]:
    return [{"name": name.encode(), "value": value.encode()} for name, value in {**_NAMES, **more}.items()]


def _span(offset: int, length: int) -> dict[str, int]:
    return {"offset": offset, "length": length}


def histograms() -> list[bytes]:
    whole = {"schema": 1, "sum": 5.0, "zero_threshold": 0.001, "timestamp": NOW, "reset_hint": 2}
    sides = {"positive_spans": [_span(0, 2), _span(1, 1)], "negative_spans": [_span(-3, 1)]}
    ints = {"count_int": 8, "zero_count_int": 1, "positive_deltas": [2, -1, 1], "negative_deltas": [2]}
    floats = {"count_float": 8, "zero_count_float": 1, "positive_counts": [2.0, 1.0, 2.5], "negative_counts": [1.5]}
    custom = {"schema": -53, "count_int": 5, "positive_spans": [_span(0, 3)], "positive_deltas": [1, 1, 0]}
    messages = [{**whole, **sides, **ints}, {**whole, **sides, **floats}, {**custom, "custom_values": [0.5, 1.0, 2.5]}]
    return [Histogram(**{"timestamp": NOW, **message}).SerializeToString() for message in messages]


def write_requests() -> list[bytes]:
    samples = [{"value": float(n), "timestamp": NOW + n * 15_000} for n in range(20)]
    exemplar = {"labels": [{"name": b"trace_id", "value": b"abc"}], "value": 1.0, "timestamp": NOW}
    series = [
        {"labels": _labels(), "samples": samples[:1]},
        {"labels": _labels(zz="x" * 200), "samples": samples, "exemplars": [exemplar]},
        {"labels": _labels()[::-1], "samples": samples[2:4]},
        {"labels": _labels(empty=""), "samples": samples[4:5]},
    ]
    metadata = MetricMetadata(type=1, metric_family_name=b"http_requests_total", help=b"Requests.", unit=b"s")
    run = label_fields((name.encode(), value.encode()) for name, value in _NAMES.items())
    with_histograms = [text_field(1, run + text_field(4, each)) for each in histograms()]
    simple = [WriteRequest(timeseries=[each]).SerializeToString() for each in series]
    return [*simple, *with_histograms, b"".join(simple + with_histograms), text_field(3, metadata.SerializeToString())]


def requests_v2() -> list[bytes]:
    """What `write_requests` holds over remote-write 2.0, with metadata; packed and not, symbols first and last."""
    said = MetricMetadata(type=3, help=b"How long.", unit=b"s")
    bodies = [WriteRequest.FromString(body) for body in write_requests()]
    packed = [request_v2(*body.timeseries, metadata=said).SerializeToString() for body in bodies]
    single = UnpackedRequest.FromString(packed[-2]).SerializeToString()
    symbols = [text_field(4, each) for each in (b"", b"__name__", b"h_bucket", b"Help.", b"\xff")]
    run = text_field(1, b"\x01\x02") + text_field(2, b"\x10" + varint(NOW)) + text_field(5, b"\x08\x03\x18\x03")
    return [*packed, single, text_field(5, run + text_field(4, b"\x0a\x02\x03\x03")) + b"".join(symbols)]


def taught() -> bytes:
    """A record of version 2 with the labels that `records_v2` rely on."""
    entries = [entry for body in write_requests() for entry in WriteRequest.FromString(body).timeseries]
    canonical_ones = [labels for entry in entries if (labels := _run(entry))]
    return record_v2.encode(record_v2.RecordV2(tuple(dict.fromkeys(canonical_ones))))


def records_v2() -> list[bytes]:
    """What `write_requests` holds as far as its labels are canonical: labels in the record, hashes, and rows."""
    found = []
    for body in write_requests():
        entries = [entry for entry in WriteRequest.FromString(body).timeseries if _run(entry)]
        whole = tuple(entry.SerializeToString() for entry in entries)
        hashed = [(record_v2.hash_of(_run(entry), _SEED), entry) for entry in entries]
        rows = [
            record_v2.Row(name, sample.timestamp, int.from_bytes(struct.pack(">d", sample.value)))
            for name, entry in hashed
            for sample in entry.samples
        ]
        for _, entry in hashed:
            del entry.labels[:]
        elements = tuple((name, entry.SerializeToString()) for name, entry in hashed)
        window = record_v2.LABEL_WINDOW_MS
        found += [
            record_v2.encode(record_v2.RecordV2(whole, (), window, elements, tuple(rows))),
            record_v2.encode(record_v2.RecordV2(label_window=window, hashed=elements, rows=tuple(rows))),
        ]
    return found


def _run(entry: Any) -> bytes:
    """Its label bytes where they are canonical as they stand, else nothing."""
    pairs = [(label.name, label.value) for label in entry.labels]
    run = label_fields(pairs)
    return run if pairs and run == canonical(pairs) else b""


def of_replicas() -> list[bytes]:
    sample = [{"value": 1.0, "timestamp": NOW}]
    sets = [_labels(__replica__=name, cluster=cluster) for name in ("a", "b") for cluster in ("eu", "us")]
    sets = [sorted(labels, key=lambda label: label["name"]) for labels in sets]
    sets += [sets[0][::-1], _labels(__replica__="a"), _labels(__replica__="a", cluster="x" * 257)]
    each = [WriteRequest(timeseries=[{"labels": labels, "samples": sample}]).SerializeToString() for labels in sets]
    return [*each, b"".join(each)]


def read_requests() -> list[bytes]:
    matchers = [{"type": kind, "name": b"job", "value": b"node.*"} for kind in range(4)]
    query = {"start_timestamp_ms": NOW, "end_timestamp_ms": NOW + 1, "matchers": matchers, "hints": {"func": b"rate"}}
    return [ReadRequest(queries=[query, query], accepted_response_types=[1, 0]).SerializeToString()]


def label_sets() -> list[bytes]:
    pairs = [(name.encode(), value.encode()) for name, value in _NAMES.items()]
    return [canonical(pairs), canonical([*pairs, (b"long", b"v" * 300)]), label_fields(pairs[::-1])]


def chunks() -> list[bytes]:
    """Small chunks: XOR, integer histograms, custom buckets, float histograms."""
    return [bytes.fromhex(line) for line in _CHUNKS.splitlines()]
