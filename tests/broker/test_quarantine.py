import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.log import Record
from broker.quarantine import QuarantinedRecord, RecordId
from forebay.errors import InvalidData

_OFFSETS = st.integers(0, (1 << 63) - 1)
_records = st.builds(
    Record,
    st.integers(0, 1023),
    _OFFSETS,
    _OFFSETS,
    st.binary(),
    st.binary(),
    st.lists(st.tuples(st.text(), st.binary()), max_size=3).map(tuple),
)
POISON = QuarantinedRecord.of(
    "log", Record(3, 41, 1_700_000_000_000, b"tenant", b"\x00\xff", (("forebay-version", b"1"),)), "not protobuf"
)


@settings(max_examples=50)
@given(_records, st.text())
def test_comes_back_whole(record: Record, reason: str) -> None:
    quarantined = QuarantinedRecord.of("log", record, reason)
    again = QuarantinedRecord.decode(quarantined.encode())
    assert again == quarantined
    assert again.record() == record
    assert again.encode() == quarantined.encode()
    assert again.id == RecordId("log", record.partition, record.offset)


def test_at_rest_it_is_one_line_of_json() -> None:
    assert POISON.encode() == (
        b'{"log_id":"log","partition":3,"offset":41,"append_time":1700000000000,"reason":"not protobuf",'
        b'"key":"dGVuYW50","headers":[["forebay-version","MQ=="]],"value":"AP8=","damaged":"","version":1}\n'
    )


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"value": "no base64!"}, {"partition": "3"}, {"extra": 1}, {"headers": [["a"]]}]
)
def test_refuses_what_it_did_not_write(change: dict[str, object]) -> None:
    document = json.loads(POISON.encode())
    with pytest.raises(InvalidData):
        QuarantinedRecord.decode(json.dumps(document | change).encode())
    del document["value"]
    for data in (b"", b"[]", b"{", b"\xff", json.dumps(document).encode()):
        with pytest.raises(InvalidData):
            QuarantinedRecord.decode(data)
