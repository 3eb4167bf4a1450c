import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import InvalidData
from tests.wire.labels_oracle import text_field, varint
from tests.wire.messages import Histogram, QueryResult, ReadRequest, ReadResponse, TimeSeries
from wire.remote_read import (
    STREAMED_XOR_CHUNKS,
    ReadQuery,
    decode_read_request,
    encode_query_result,
    encode_read_response,
    encode_timeseries,
)

int64 = st.integers(-(2**63), 2**63 - 1)
bits64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1 << 63, 0x7FF0000000000002])
texts = st.text(max_size=6).map(str.encode)
matchers = st.fixed_dictionaries({"type": st.integers(0, 3), "name": texts, "value": texts})
queries = st.fixed_dictionaries(
    {
        "start_timestamp_ms": int64,
        "end_timestamp_ms": int64,
        "matchers": st.lists(matchers, max_size=4),
        "hints": st.none() | st.fixed_dictionaries({"step_ms": int64, "func": texts}),
    }
)


def encoded(**fields: Any) -> bytes:
    data: bytes = ReadRequest(**fields).SerializeToString()
    return data


@given(st.lists(queries, max_size=4), st.lists(st.integers(0, 5), max_size=5))
def test_a_request_is_what_protobuf_reads(sent: list[dict[str, Any]], types: list[int]) -> None:
    found = decode_read_request(encoded(queries=sent, accepted_response_types=types))
    expected = ReadRequest(queries=sent).queries
    assert found.queries == tuple(
        ReadQuery(q.start_timestamp_ms, q.end_timestamp_ms, tuple((m.type, m.name, m.value) for m in q.matchers))
        for q in expected
    )
    assert found.accepted_response_types == tuple(dict.fromkeys(types))


def test_response_types_may_be_packed_or_not() -> None:
    assert decode_read_request(b"\x10\x01\x10\x00").accepted_response_types == (STREAMED_XOR_CHUNKS, 0)
    assert decode_read_request(b"\x12\x02\x01\x00").accepted_response_types == (STREAMED_XOR_CHUNKS, 0)


def test_every_truncation_is_refused_or_a_shorter_request() -> None:
    body = encoded(
        queries=[{"end_timestamp_ms": 5, "matchers": [{"type": 1, "name": b"job", "value": b"x"}]}] * 2,
        accepted_response_types=[0, 1],
    )
    whole = [i for i in range(len(body)) if _decodes(body[:i])]
    assert whole == [i for i in range(len(body)) if _protobuf_decodes(body[:i])]


def _decodes(body: bytes) -> bool:
    try:
        decode_read_request(body)
    except InvalidData:
        return False
    return True


def _protobuf_decodes(body: bytes) -> bool:
    try:
        ReadRequest.FromString(body)
    except Exception:  # noqa: BLE001 - the runtime has no public class for it
        return False
    return True


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (text_field(1, text_field(3, b"\x08\x04")), "unknown matcher type: type=4"),
        (text_field(1, text_field(3, text_field(2, b"\xff"))), "not utf-8"),
        (text_field(1, b"") * 101, "too many queries in a read request: limit=100"),
        (text_field(1, text_field(3, b"") * 600) * 2, "too many matchers"),
        (text_field(2, b"".join(map(varint, range(17)))), "too many accepted response types"),
        (b"\x08\x05", "malformed read request: query offset=0"),
        (text_field(1, b"\x0a\x00"), "malformed read request: query time offset=2"),
        (b"\x0b\x0c", "malformed read request: query offset=0"),
        (b"\x1b\x1c", "malformed read request: field offset=0"),
    ],
)
def test_what_is_refused_is_named(body: bytes, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        decode_read_request(body)


@given(
    st.lists(st.tuples(texts, texts), max_size=4),
    st.lists(st.tuples(int64 | st.just(0), bits64), max_size=20),
    st.lists(st.builds(Histogram, count_int=st.integers(0, 5), timestamp=int64), max_size=2),
)
def test_answers_are_what_protobuf_reads(
    labels: list[tuple[bytes, bytes]], samples: list[tuple[int, int]], histograms: list[Any]
) -> None:
    times, values = array("q", [t for t, _ in samples]), array("Q", [v for _, v in samples])
    data = encode_timeseries(labels, times, values, [each.SerializeToString() for each in histograms])
    (series,) = QueryResult.FromString(encode_query_result([data])).timeseries
    assert [(label.name, label.value) for label in series.labels] == labels
    assert list(series.histograms) == histograms
    assert [sample.timestamp for sample in series.samples] == list(times)
    found = [struct.unpack("<Q", struct.pack("<d", sample.value))[0] for sample in series.samples]
    assert found == list(values)


def test_the_sign_of_zero_is_kept_and_plain_zero_left_out() -> None:
    data = encode_timeseries([], array("q", [0, 0]), array("Q", [0, 1 << 63]), [])
    assert data == b"\x12\x00" + b"\x12\x09\x09" + bytes(7) + b"\x80"


def test_results_stand_in_the_order_of_queries() -> None:
    results = [
        encode_query_result([]),
        encode_query_result([b"", encode_timeseries([(b"a", b"b")], array("q"), array("Q"), [])]),
    ]
    decoded = ReadResponse.FromString(encode_read_response(results))
    assert [len(result.timeseries) for result in decoded.results] == [0, 2]
    assert decoded.results[1].timeseries[1] == TimeSeries(labels=[{"name": b"a", "value": b"b"}])


def test_arrays_of_other_lengths_or_types_are_refused() -> None:
    with pytest.raises(ValueError, match="2 timestamps for 1 values"):
        encode_timeseries([], array("q", [1, 2]), array("Q", [1]), [])
    with pytest.raises(ValueError, match="mismatch"):
        encode_timeseries([], array("q", [1]), array("I", [1]), [])
