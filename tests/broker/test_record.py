import pytest

from broker.log import Headers, Record
from broker.record import (
    Replica,
    UnsupportedRecord,
    is_version_2,
    new_headers,
    replica_of,
    tenant_of,
    version_of,
    without_replica,
)
from forebay.errors import Fatal, InvalidData


def record(headers: Headers = (), key: bytes = b"tenant") -> Record:
    return Record(1, 2, 3, key, b"", headers)


def test_new_headers_can_be_read_back() -> None:
    assert new_headers() == (("forebay-version", b"1"),)
    named = (("forebay-cluster", b"eu1"), ("forebay-replica", "replica-é".encode()))
    assert new_headers(Replica("eu1", "replica-é")) == (("forebay-version", b"1"), *named)
    assert version_of(record(new_headers())) == 1
    assert replica_of(record(new_headers())) is None
    assert new_headers(version=2) == (("forebay-version", b"2"),)
    for headers in (new_headers(version=2), new_headers(Replica("eu1", "a"), 2)):
        assert version_of(record(headers)) == 2
        assert is_version_2(record(headers))
    assert not is_version_2(record(new_headers()))
    assert not is_version_2(record())
    other = (("traceparent", b"x"), *new_headers(Replica("é", "a")))
    assert version_of(record(other)) == 1
    assert replica_of(record(other)) == Replica("é", "a")
    assert replica_of(record(other[::-1])) == Replica("é", "a")
    assert without_replica(other) == (("traceparent", b"x"), *new_headers())


@pytest.mark.parametrize("version", [b"3", b"17", b"999999999"])
def test_a_newer_version_stops_the_consumer(version: bytes) -> None:
    with pytest.raises(UnsupportedRecord, match=r"partition=1 offset=2 \(hint: upgrade consumers before gateways\)"):
        version_of(record((("forebay-version", version),)))
    assert issubclass(UnsupportedRecord, Fatal)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Forebay-Version", b"1"),),
        (("forebay-version", b"1"), ("forebay-version", b"1")),
        *(((("forebay-version", text)),) for text in (b"", b"0", b"-1", b"1.0", b" 1", b"\xb2", b"x", b"1" * 5000)),
    ],
)
def test_no_version_is_invalid_data(headers: Headers) -> None:
    with pytest.raises(InvalidData, match="partition=1 offset=2"):
        version_of(record(headers))


def test_tenant_is_the_key() -> None:
    assert tenant_of(record(key="ténant".encode())) == "ténant"
    for key in (b"", b"\xff\xfe"):
        with pytest.raises(InvalidData, match="partition=1 offset=2"):
            tenant_of(record(key=key))


@pytest.mark.parametrize(
    "headers",
    [
        (("forebay-replica", b"a"),),
        (("forebay-cluster", b"a"),),
        (("forebay-cluster", b"a"), ("forebay-replica", b"a"), ("forebay-replica", b"a")),
        (("forebay-cluster", b"a"), ("forebay-cluster", b"a")),
        *((("forebay-cluster", b"a"), ("forebay-replica", name)) for name in (b"", b"\xff", b"x" * 257)),
    ],
)
def test_half_a_replica_is_invalid_data(headers: Headers) -> None:
    with pytest.raises(InvalidData, match="partition=1 offset=2"):
        replica_of(record((*new_headers(), *headers)))
