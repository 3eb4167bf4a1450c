"""The oracle of version 2 itself: what it writes it reads, and what is no record it refuses."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.labels_oracle import canonical, text_field, varint
from tests.wire.messages import WriteRequest
from tests.wire.record_v2 import LABEL_WINDOW_MS, Malformed, RecordV2, Row, decode, encode, hash_of, taught, written_out

SEED = 7
LABELS = canonical([(b"__name__", b"up"), (b"job", b"x")])
SAMPLE = b"\x09" + struct.pack("<d", 1.5) + b"\x10\x05"
LABELLED = LABELS + text_field(2, SAMPLE)

rows = st.builds(
    Row,
    st.binary(min_size=16, max_size=16),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, (1 << 64) - 1),
)


@given(st.lists(rows, max_size=40), st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.binary()), max_size=3))
def test_what_is_written_is_read(found: list[Row], hashed: list[tuple[bytes, bytes]]) -> None:
    record = RecordV2((LABELLED,), (b"\x08\x01",), LABEL_WINDOW_MS, tuple(hashed), tuple(found))
    assert decode(encode(record)) == record


def test_bytes_stand_as_the_format_says() -> None:
    record = RecordV2(
        label_window=300,
        hashed=((b"h" * 16, text_field(2, SAMPLE)),),
        rows=(Row(b"a" * 16, 5, 0x0807060504030201), Row(b"b" * 16, 4, 0x1817161514131211)),
    )
    hashed = bytes.fromhex("321f 7a10") + b"h" * 16 + text_field(2, SAMPLE)
    values = bytes.fromhex("0111 0212 0313 0414 0515 0616 0717 0818")
    rows = bytes.fromhex("3a33 02") + b"a" * 16 + b"b" * 16 + bytes.fromhex("0a 01") + values
    assert encode(record) == bytes.fromhex("28ac02") + hashed + rows


def test_says_the_same_as_a_record_of_version_1() -> None:
    known = hash_of(LABELS, SEED)
    record = RecordV2((LABELLED,), (), 1, ((known, text_field(2, SAMPLE)),), (Row(known, -1, 2),))
    assert taught(record, SEED) == {known: LABELS}
    message = WriteRequest.FromString(written_out(record, {}, SEED))
    assert [series.samples[0].timestamp for series in message.timeseries] == [5, 5, -1]
    assert all(series.labels == message.timeseries[0].labels for series in message.timeseries)
    with pytest.raises(KeyError):
        written_out(record._replace(labelled=()), {}, SEED)


def test_what_is_no_record_is_refused() -> None:
    row = encode(RecordV2(label_window=1, rows=(Row(b"a" * 16, 5, 1),)))
    window, rows = row[:2], row[2:]
    for value in (
        rows,  # no window
        window + window + rows,
        varint(5 << 3) + varint(0) + rows,
        row + rows,
        row + text_field(1, LABELLED),
        window + text_field(1, LABELLED) + rows,
        window + text_field(6, LABELS),
        window + text_field(7, b"\x00"),
        window + text_field(7, b"\x02" + rows[3:]),
        window + text_field(7, rows[2:] + b"\x00"),
        row[:-1],
        b"\x2b",  # a group
    ):
        with pytest.raises(Malformed):
            decode(value)
