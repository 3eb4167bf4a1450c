import pytest

from gateway.negotiation import REMOTE_WRITE_1, REMOTE_WRITE_2, UnsupportedMedia, media_type, negotiate

V1 = "application/x-protobuf;proto=prometheus.WriteRequest"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/x-protobuf",
        "Application/X-Protobuf",
        V1,
        "application/x-protobuf; proto=prometheus.WriteRequest",
        'application/x-protobuf ; proto="prometheus.WriteRequest"',
        'application/x-protobuf;Proto="prometheus\\.WriteRequest"',
        "application/x-protobuf;charset=utf-8",
        "application/x-protobuf;",
    ],
)
@pytest.mark.parametrize("encoding", [None, "", "snappy", "Snappy"])
def test_remote_write_1_in_every_form(content_type: str | None, encoding: str | None) -> None:
    assert negotiate(content_type, encoding) == REMOTE_WRITE_1


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (V2, "gzip"),
        ("application/x-protobuf;proto=io.prometheus.write.v2.request", None),
        ("application/x-protobuf;proto=io.prometheus.write.v3.Request", None),
        ("application/json;proto=io.prometheus.write.v2.Request", None),
        ("application/x-protobuf;proto=prometheus.Writerequest", None),
        ("application/x-protobuf;proto=", None),
        ("application/x-protobuf;proto", None),
        ("application/x-protobuf proto=x", None),
        ("text/plain", None),
        ("nonsense", None),
        (";", None),
        (V1, "gzip"),
        (V1, "snappy, gzip"),
        (V1, "identity"),
    ],
)
def test_everything_else_is_refused(content_type: str, encoding: str | None) -> None:
    with pytest.raises(UnsupportedMedia):
        negotiate(content_type, encoding)


@pytest.mark.parametrize(
    "content_type",
    [
        V2,
        "Application/X-Protobuf; proto=io.prometheus.write.v2.Request",
        'application/x-protobuf\t; charset=utf-8 ; PROTO="io.prometheus.write.v2.Request" ',
    ],
)
@pytest.mark.parametrize("encoding", [None, "snappy", " Snappy "])
def test_remote_write_2_in_every_form(content_type: str, encoding: str | None) -> None:
    assert negotiate(content_type, encoding) == REMOTE_WRITE_2


def test_a_sender_of_something_else_is_told_what_is_spoken() -> None:
    with pytest.raises(UnsupportedMedia, match=r"proto=prometheus\.WriteRequest or proto=io\.prometheus\.write\.v2"):
        negotiate("application/x-protobuf;proto=yolo", "snappy")


def test_quoted_values_may_hold_what_tokens_may_not() -> None:
    assert media_type('a/b; x="1;2 \\" 3"; y=2') == ("a/b", {"x": '1;2 " 3', "y": "2"})
