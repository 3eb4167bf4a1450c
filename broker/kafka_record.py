"""Between a message of Kafka and a record of ours."""

from confluent_kafka import Message

from broker.log import Record
from broker.record import new_headers

_USUAL = new_headers()
_USUAL_LIST = list(_USUAL)
_USUAL_V2 = new_headers(version=2)
_USUAL_V2_LIST = list(_USUAL_V2)
"""What nearly every record has: compared at once, where taking headers apart would cost as much as all the rest."""


def to_record(message: Message) -> Record:
    """A message without error. What no gateway of ours writes, such as a value that is null, is empty here."""
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:
        raise ValueError("a message that was read has a partition and an offset")
    headers = message.headers() or []
    if headers == _USUAL_LIST:
        named = _USUAL
    elif headers == _USUAL_V2_LIST:
        named = _USUAL_V2
    else:
        named = tuple((header[0], _bytes(header[1])) for header in headers)
    return Record(
        partition,
        offset,
        message.timestamp()[1],
        message.key() or b"",
        message.value() or b"",
        named,
    )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
