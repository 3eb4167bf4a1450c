import base64
import gzip
import json
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from forebay.errors import InvalidData
from gateway.otlp.body import decode_json, decode_protobuf, decoded_size, inflate
from gateway.otlp.negotiation import Form
from tests.gateway.otlp.exports import Exports
from tests.gateway.requests import NOW_MS
from tests.wire.labels_oracle import varint
from wire.decoded_size import DecodedSize
from wire.snappy import BodyTooLarge

ROOT = Path(__file__).parents[3]


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def metric_with(data_field: int, points: bytes) -> bytes:
    return field(1, field(2, field(2, field(data_field, points))))


@given(st.binary(max_size=1000), st.binary(max_size=100))
def test_gzip_of_one_member_or_two(first: bytes, second: bytes) -> None:
    assert inflate(gzip.compress(first) + gzip.compress(second), 2000) == first + second


def test_a_bomb_is_refused_at_its_limit() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(BodyTooLarge, match=f"bytes={(1 << 20) + 1} limit={1 << 20}"):
        inflate(bomb, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "gzip body is cut off"),
        (b"\x0a\x00", "not gzip"),
        (gzip.compress(b"x" * 100)[:-9], "gzip body is cut off"),
        (gzip.compress(b"x" * 100)[:-8] + bytes(8), "not gzip"),
        (zlib.compress(b"x" * 100), "not gzip"),
        (gzip.compress(b"x") * 9, "too many members: max=8"),
    ],
)
def test_what_is_no_gzip(body: bytes, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        inflate(body, 1000)


def test_a_body_that_is_no_message() -> None:
    with pytest.raises(InvalidData, match="not an ExportMetricsServiceRequest: bytes=3"):
        decode_protobuf(b"\x0a\xff\x01")


def nested(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        value = field(5, field(1, value))
    return field(1, field(1, field(1, field(2, value))))


@pytest.mark.parametrize("depth", [200, 20_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    with pytest.raises(InvalidData, match="MaxDepth"):
        decode_protobuf(nested(depth))


@pytest.mark.parametrize("size", [0, 1, 7])
def test_every_length_of_a_good_body_is_read_or_refused(size: int) -> None:
    body = Exports(1, NOW_MS - 1000, NOW_MS).export().SerializeToString()
    for end in range(size, len(body), 97):
        try:
            decode_protobuf(body[:end])
        except InvalidData:
            continue


MEASURE = """
import sys
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from gateway.otlp.body import decode_protobuf

def kibibytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

body = sys.stdin.buffer.read()
before = kibibytes("VmRSS")
request = decode_protobuf(body)
print((kibibytes("VmHWM") - before) << 10)
"""
BOMBS = {
    "resources": b"\x0a\x00" * 1_000_000,
    "attributes": field(1, field(1, b"\x0a\x00" * 1_000_000)),
    "gauge": metric_with(5, b"\x0a\x00" * 1_000_000),
    "histogram": metric_with(9, b"\x0a\x00" * 1_000_000),
    "exponential": metric_with(10, b"\x0a\x00" * 1_000_000),
    "summary": metric_with(11, b"\x0a\x00" * 1_000_000),
    "exemplars": metric_with(7, field(1, b"\x2a\x00" * 1_000_000)),
    "single buckets": metric_with(10, field(1, field(8, b"\x10\x01" * 4_000_000))),
    "unknown": b"\x98\x06\x01" * 1_000_000,
    "unknown between": field(1, b"\x98\x06\x01\x12\x00" * 500_000),
    "unknown texts": field(1, b"\x9a\x06\x00\x12\x00" * 500_000),
    "buckets": metric_with(10, field(1, field(8, field(2, b"\x01" * 8_000_000)))),
    "quantiles": metric_with(11, field(1, b"\x32\x00" * 1_000_000)),
    "entity keys": field(1, field(1, field(3, b"\x1a\x00" * 1_000_000))),
    "points": Exports(3, NOW_MS - 1000, NOW_MS).export(resources=100, metrics=100).SerializeToString(),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_the_estimate_is_not_below_what_objects_take(kind: str) -> None:
    body = BOMBS[kind]
    result = subprocess.run([sys.executable, "-c", MEASURE], input=body, capture_output=True, check=True, cwd=ROOT)
    taken = int(result.stdout)
    estimate = decoded_size(body, Form(is_json=False, is_gzip=False))
    assert taken <= estimate + (1 << 20)
    assert estimate < 16 * max(taken, 1 << 20)


def test_sizes_of_a_shape() -> None:
    sizes = DecodedSize([(100, {1: 1, 2: -1, 3: -2}), (60, {1: 1})])
    assert sizes.of(b"") == 100
    assert sizes.of(field(1, b"") * 3) == 100 + 3 * 60
    assert sizes.of(field(2, b"\x01" * 10)) == 100 + 240
    assert sizes.of(b"\x10\x01" * 10) == 100 + 240
    assert sizes.of(b"\x18\x01" * 10) == 100
    assert sizes.of(field(9, b"text")) == 100 + 52
    assert sizes.of(b"\x48\x01") == 100 + 48
    assert sizes.of(field(1, field(1, b""))) == 100 + 2 * 60


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\x7f\x08\x01",  # longer than it is
        b"\x4b\x4c" + field(1, b""),  # a group, which protobuf's runtime skips
        field(1, b"\x4b\x4c"),
        b"\x08",
        nested(200),
    ],
)
def test_what_has_no_size(body: bytes) -> None:
    with pytest.raises(InvalidData, match="malformed or nested too deep"):
        decoded_size(body, Form(is_json=False, is_gzip=False))


@pytest.mark.parametrize("shape", [[], [{0: 0}], [{32: 0}], [{1: 1}], [{1: -3}], [{}] * 65])
def test_shapes_that_cannot_be(shape: list[dict[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"types of messages|not a field"):
        DecodedSize([(100, fields) for fields in shape])


@given(st.binary(max_size=300))
def test_any_bytes_have_a_size_or_are_refused(body: bytes) -> None:
    try:
        assert 144 <= DecodedSize([(144, {1: 0, 2: -1, 3: 0})]).of(body) <= 144 * (len(body) + 1)
    except InvalidData as error:
        assert "malformed or nested too deep" in str(error)  # noqa: PT017 - most bytes are, and some are not


def in_json(export: ExportMetricsServiceRequest) -> dict[str, object]:
    """As OTLP has it: ids in hex, enums as numbers."""
    request: dict[str, object] = MessageToDict(export, use_integers_for_enums=True)

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for name in {"traceId", "spanId"} & value.keys():
                value[name] = base64.b64decode(value[name]).hex()
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(request)
    return request


def test_json_is_read_as_protobuf_is() -> None:
    for seed in range(20):
        export = Exports(seed, NOW_MS - 1000, NOW_MS).export()
        body = json.dumps(in_json(export)).encode()
        assert decode_json(body) == export


def test_json_of_another_version() -> None:
    assert decode_json(b'{"resourceMetrics": [{"new": [1], "scopeMetrics": []}], "more": {}}')


def json_point(kind: bytes, point: bytes) -> bytes:
    metric = b'{"%s": {"dataPoints": [{%s}]}}' % (kind, point)
    return b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [%s]}]}]}' % metric


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b'{"resourceMetrics": 1}',
        b'{"resourceMetrics": [1]}',
        b'{"resourceMetrics": {"scopeMetrics": []}}',
        json_point(b"sum", b'"exemplars": [{"traceId": "xy"}]'),
        json_point(b"sum", b'"exemplars": [{"traceId": 1}]'),
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "\\ud800"}]}]}]}',
        b'{"resourceMetrics": [{"resource": {"attributes": ' + b"[" * 100_000,
        b"\xff",
        json_point(b"gauge", b'"timeUnixNano": "-1"'),
        json_point(b"gauge", b'"asInt": 1e400'),
    ],
)
def test_what_is_no_json_of_ours(body: bytes) -> None:
    with pytest.raises(InvalidData, match="not an ExportMetricsServiceRequest in JSON"):
        decode_json(body)
