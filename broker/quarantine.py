"""Quarantine: where a record goes that cannot be decoded, so that it pins no partition and is not lost either."""

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

import msgspec

from broker.log import Record
from forebay.errors import ForebayError, InvalidData

FORMAT_VERSION = 1

Outcome = Literal["replayed", "dropped"]


class RecordId(NamedTuple):
    """A record's place, for ever the same."""

    log_id: str
    partition: int
    offset: int


class NotQuarantined(ForebayError):
    """There is no such record in the quarantine."""


class QuarantinedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole record, and why it is here. As JSON: bytes are base64, fields stand in this order, one line."""

    log_id: str
    partition: int
    offset: int
    append_time: int
    reason: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    damaged: str = ""
    """As in the record: its value was lost in the log, and to decode it again is of no use."""
    version: int = FORMAT_VERSION

    @classmethod
    def of(cls, log_id: str, record: Record, reason: str) -> "QuarantinedRecord":
        return cls(
            log_id=log_id,
            partition=record.partition,
            offset=record.offset,
            append_time=record.append_time,
            reason=reason,
            key=record.key,
            headers=record.headers,
            value=record.value,
            damaged=record.damaged,
        )

    @property
    def id(self) -> RecordId:
        return RecordId(self.log_id, self.partition, self.offset)

    def record(self) -> Record:
        """The record as the log gave it, for another attempt."""
        return Record(self.partition, self.offset, self.append_time, self.key, self.value, self.headers, self.damaged)

    def encode(self) -> bytes:
        """Canonical bytes: the same record and reason are the same bytes."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "QuarantinedRecord":
        """Raises InvalidData for anything that `encode` of this version cannot have written."""
        try:
            record = _RECORD.decode(data)
        except msgspec.DecodeError as error:
            raise InvalidData(f"not a quarantined record error={error}") from error
        if record.version != FORMAT_VERSION:
            raise InvalidData(
                f"unknown version of a quarantined record version={record.version}",
                hint="read it with the version of forebay that wrote it, or a newer one",
            )
        return record


_RECORD = msgspec.json.Decoder(QuarantinedRecord)


class Settled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stays of a record that was replayed or dropped: which it was, why it was here, what became of it."""

    log_id: str
    partition: int
    offset: int
    outcome: Outcome
    settled_at: int
    """Milliseconds since the epoch."""
    reason: str = ""
    key: bytes = b""
    sha256: str = ""
    """Of its value; empty, as the two above, where the record could not be read."""
    version: int = FORMAT_VERSION

    @classmethod
    def of(cls, record: QuarantinedRecord, outcome: Outcome, now_ms: int) -> "Settled":
        digest = hashlib.sha256(record.value).hexdigest()
        return cls(*record.id, outcome, now_ms, reason=record.reason, key=record.key, sha256=digest)

    @property
    def id(self) -> RecordId:
        return RecordId(self.log_id, self.partition, self.offset)

    def encode(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"


class Quarantine(Protocol):
    """Keeps quarantined records by place. Every method blocks, is thread-safe and may raise the store's errors."""

    def put(self, record: QuarantinedRecord) -> None:
        """Durable when it returns. A second put of the same place changes nothing, also after it was settled."""
        ...

    def list(self) -> Iterator[RecordId]:
        """Those that nobody has settled, ascending by log id, partition, offset."""
        ...

    def get(self, record_id: RecordId) -> QuarantinedRecord:
        """Raises NotQuarantined, InvalidData."""
        ...

    def settle(self, settled: Settled) -> None:
        """The record is gone when it returns, and what was done with it is kept. May be repeated after any failure."""
        ...
