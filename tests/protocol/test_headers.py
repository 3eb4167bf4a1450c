"""What the headers of a request decide: the tables of Prometheus' own handler, and what RFC 9110 allows besides."""

import pytest

from tests.e2e.forebay import ForebayServer
from tests.faults.client import now_ms
from tests.protocol.entry import V1, V2, Series, encode, sample
from tests.protocol.sender import post, snappy

VERSION = {"X-Prometheus-Remote-Write-Version": "2.0.0"}
SNAPPY = {"Content-Encoding": "snappy"}
EXPLICIT_V1 = f"{V1};proto=prometheus.WriteRequest"

# storage/remote/write_handler_test.go: all of TestRemoteWriteHandlerHeadersHandling_V1Message, of a 1.0 body.
OVER_1 = {
    "correct headers": ({"Content-Type": EXPLICIT_V1, **SNAPPY, **VERSION}, 204),
    "missing version": ({"Content-Type": EXPLICIT_V1, **SNAPPY}, 204),
    "no headers": ({}, 204),
    "missing content-type": ({**SNAPPY, **VERSION}, 204),
    "missing content-encoding": ({"Content-Type": EXPLICIT_V1, **VERSION}, 204),
    "wrong content-type": ({"Content-Type": "yolo", **SNAPPY, **VERSION}, 415),
    "wrong content-type2": ({"Content-Type": f"{V1};proto=yolo", **SNAPPY, **VERSION}, 415),
    "not supported content-encoding": ({"Content-Type": EXPLICIT_V1, "Content-Encoding": "zstd", **VERSION}, 415),
}
# And of _V2Message, of a 2.0 body. A receiver of 2.0 alone answers 415 where there is no Content-Type. To one of both
# that means 1.0, which this body is not: Prometheus then takes it for an empty request, and says 204.
OVER_2 = {
    "correct headers": ({"Content-Type": V2, **SNAPPY, **VERSION}, 204),
    "missing version": ({"Content-Type": V2, **SNAPPY}, 204),
    "no headers": ({}, 400),
    "missing content-type": ({**SNAPPY, **VERSION}, 400),
    "missing content-encoding": ({"Content-Type": V2, **VERSION}, 204),
    "wrong content-type": ({"Content-Type": "yolo", **SNAPPY, **VERSION}, 415),
    "wrong content-type2": ({"Content-Type": f"{V1};proto=yolo", **SNAPPY, **VERSION}, 415),
    "not supported content-encoding": ({"Content-Type": V2, "Content-Encoding": "zstd", **VERSION}, 415),
}
FORMS_OF_2 = (
    "application/x-protobuf; proto=io.prometheus.write.v2.Request",
    'application/x-protobuf;proto="io.prometheus.write.v2.Request"',
    "Application/X-Protobuf;PROTO=io.prometheus.write.v2.Request",
    "application/x-protobuf \t;\t charset=utf-8 ; proto=io.prometheus.write.v2.Request ",
    'application/x-protobuf;proto="io\\.prometheus.write.v2.Request";',
)


def body(protocol: str) -> bytes:
    return snappy(encode(protocol, Series([(b"__name__", b"up")], samples=(sample(0, now_ms()),))))


@pytest.mark.parametrize(
    ("protocol", "headers", "status"),
    [
        pytest.param(protocol, headers, status, id=f"{name}: {case}")
        for name, protocol, table in (("1.0", V1, OVER_1), ("2.0", V2, OVER_2))
        for case, (headers, status) in table.items()
    ],
)
def test_headers_as_prometheus_reads_them(
    server: ForebayServer, protocol: str, headers: dict[str, str], status: int
) -> None:
    answer = post(server.url, body(protocol), headers)
    assert answer.status == status, answer
    negotiated = headers.get("Content-Type") == V2 and status != 415
    assert answer.written == ((1, 0, 0) if negotiated else None)
    assert bool(answer.text) == (status != 204)


@pytest.mark.parametrize("content_type", FORMS_OF_2)
def test_any_form_of_a_media_type_is_the_same(server: ForebayServer, content_type: str) -> None:
    """Also one that others silently read as 1.0."""
    answer = post(server.url, body(V2), {"Content-Type": content_type, "Content-Encoding": "Snappy"})
    assert answer == (204, "", (1, 0, 0))


def test_the_schema_is_chosen_by_the_content_type_and_never_by_the_version(server: ForebayServer) -> None:
    for protocol, version in ((V1, "2.0.0"), (V2, "0.1.0"), (V2, "nonsense")):
        headers = {"Content-Type": protocol, **SNAPPY, "X-Prometheus-Remote-Write-Version": version}
        assert post(server.url, body(protocol), headers).status == 204


def test_what_is_not_spoken_is_refused_before_the_body_is_looked_at(server: ForebayServer) -> None:
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": V2, "Content-Encoding": "gzip"}):
        assert post(server.url, b"corrupt", headers).status == 415


@pytest.mark.parametrize(("protocol", "written"), [(V1, None), (V2, (0, 0, 0))], ids=["1.0", "2.0"])
def test_what_cannot_be_read_takes_nothing_with_it(
    server: ForebayServer, protocol: str, written: tuple[int, ...] | None
) -> None:
    headers = {"Content-Type": protocol, **SNAPPY}
    for data in (b"corrupt", snappy(b"\x08"), snappy(encode(protocol, Series([], samples=(b"\x08\x01",))))):
        answer = post(server.url, data, headers)
        assert (answer.status, answer.written) == (400, written)
        assert answer.text


@pytest.mark.parametrize(("protocol", "written"), [(V1, None), (V2, (0, 0, 0))], ids=["1.0", "2.0"])
def test_an_empty_request_tells_that_the_protocol_is_spoken(
    server: ForebayServer, protocol: str, written: tuple[int, ...] | None
) -> None:
    assert post(server.url, snappy(b""), {"Content-Type": protocol, **SNAPPY}) == (204, "", written)
