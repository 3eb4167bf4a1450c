"""A body in pieces says what the whole one says."""

import random

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.errors import InvalidData
from tests.wire.labels_oracle import text_field, varint
from tests.wire.messages import WriteRequest
from wire.large_body import LargeBody
from wire.snappy import BodyTooLarge

PIECE = 1024


def compressed(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def request(series: int, *, size: int = 40, seed: int = 1) -> bytes:
    """Series that share much, as real ones do, so that copies reach back."""
    chance = random.Random(seed)
    message = WriteRequest()
    for number in range(series):
        entry = message.timeseries.add()
        entry.labels.add(name=b"__name__", value=b"requests_handled_total")
        entry.labels.add(name=b"instance", value=f"{number:08}".encode() + chance.randbytes(size).hex().encode())
        entry.samples.add(value=chance.random(), timestamp=number)
    body: bytes = message.SerializeToString()
    return body


def second(series: int, symbols: list[bytes]) -> bytes:
    """A 2.0 request, as far as taking it apart goes."""
    table = b"".join(text_field(4, symbol) for symbol in symbols)
    return table + b"".join(text_field(5, text_field(1, varint(number))) for number in range(series))


@pytest.mark.parametrize("series", [0, 1, 7, 2000, 20_000])
@pytest.mark.parametrize("piece", [PIECE, 5000, 1 << 20])
def test_pieces_of_1_0_together_are_the_body(series: int, piece: int) -> None:
    body = request(series)
    pieces = list(LargeBody(compressed(body), message=1, piece_bytes=piece))
    assert b"".join(pieces) == body
    assert all(0 < len(each) <= piece for each in pieces)
    for each in pieces[:50]:
        WriteRequest().ParseFromString(each)
    assert len(pieces) >= len(body) // piece


def test_pieces_of_2_0_have_all_symbols_each() -> None:
    symbols = [b"", b"__name__", b"up", b"x" * 300]
    body = second(5000, symbols)
    table = second(0, symbols)
    pieces = list(LargeBody(compressed(body), message=2, piece_bytes=PIECE))
    assert len(pieces) > 10
    assert all(each.startswith(table) and len(each) <= len(table) + PIECE for each in pieces)
    assert table + b"".join(each.removeprefix(table) for each in pieces) == body
    assert list(LargeBody(compressed(table), message=2, piece_bytes=PIECE)) == []


def test_symbols_longer_than_what_is_decompressed_at_once() -> None:
    symbols = [b"", *(b"%06d" % number + b"y" * 1000 for number in range(400))]
    body = second(3000, symbols)
    pieces = list(LargeBody(compressed(body), message=2, piece_bytes=1 << 20))
    assert b"".join(pieces) == body


def test_metadata_goes_along() -> None:
    metadata = text_field(3, text_field(2, b"up") + text_field(4, b"Help."))
    body = (request(3) + metadata) * 50
    assert b"".join(LargeBody(compressed(body), message=1, piece_bytes=PIECE)) == body


@pytest.mark.parametrize(
    ("body", "message", "said"),
    [
        (text_field(1, b"x" * 2000), 1, "one series has bytes=2000 limit=1024"),
        (second(1, [b"x" * 300] * 3), 2, "its symbols have more than bytes=512"),
        (second(2, [b""]) + second(1, [b"late"]), 2, "symbols stand behind series"),
    ],
)
def test_what_cannot_be_taken_apart_is_too_large(body: bytes, message: int, said: str) -> None:
    with pytest.raises(BodyTooLarge, match=said):
        list(LargeBody(compressed(body), message=message, piece_bytes=PIECE))


def test_a_copy_from_too_far_back_is_too_large_and_not_wrong() -> None:
    noise = random.Random(1).randbytes(1000)
    body = text_field(1, noise) * 200
    # By hand: everything as literals, then one copy element with a four byte offset.
    literal = b"".join(b"\xf4" + (999).to_bytes(2, "little") + body[at : at + 1000] for at in range(0, 200_000, 1000))
    far = varint(200_000 + 64) + literal + b"\xff" + (150_000).to_bytes(4, "little")
    assert bytes(cramjam.snappy.decompress_raw(far))[:200_000] == body[:200_000]
    with pytest.raises(BodyTooLarge, match="reaches back more than 64 KiB"):
        list(LargeBody(far, message=1, piece_bytes=2048))


@pytest.mark.parametrize("body", [b"\xff" * 200, text_field(1, b"abc") + b"\x0a\x05abc", b"\x0b" * 5000, b"\x00"])
def test_what_is_no_request_is_told(body: bytes) -> None:
    with pytest.raises(InvalidData, match="malformed write request"):
        list(LargeBody(compressed(body), message=1, piece_bytes=PIECE))


@pytest.mark.parametrize("damage", [b"", b"\xff" * 11, varint(1 << 40) + b"abc"])
def test_what_is_not_snappy_is_told(damage: bytes) -> None:
    with pytest.raises(InvalidData, match="not snappy"):
        LargeBody(damage, message=1, piece_bytes=PIECE)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_snappy_is_refused_or_means_the_same(data: st.DataObject) -> None:
    good = bytearray(compressed(request(data.draw(st.integers(0, 60)), size=data.draw(st.integers(0, 40)))))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(good)))
        good[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    damaged = bytes(good)
    try:
        pieces = list(LargeBody(damaged, message=1, piece_bytes=1 << 20))
    except InvalidData:
        return
    assert b"".join(pieces) == bytes(cramjam.snappy.decompress_raw(damaged))


def test_settings_that_make_no_sense() -> None:
    for message, piece in ((3, PIECE), (1, 10)):
        with pytest.raises(ValueError, match="no such pieces"):
            LargeBody(b"\x00", message=message, piece_bytes=piece)
