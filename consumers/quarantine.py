"""Quarantine in the bucket: beside the blocks, under the record's own place."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from broker.quarantine import NotQuarantined, QuarantinedRecord, RecordId
from bucket import layout
from bucket.bucket import Bucket, ObjectNotFound, PreconditionFailed


class BucketQuarantine:
    """Implements Quarantine."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, record: QuarantinedRecord) -> None:
        try:
            self._bucket.create(_key(record.id), record.encode())
        except PreconditionFailed:
            return  # it is kept already, of an attempt before

    def list(self) -> Iterator[RecordId]:
        for log_id in self._bucket.list_dirs(layout.QUARANTINE):
            prefix = f"{layout.QUARANTINE}{log_id}/"
            for partition in sorted(int(name) for name in self._bucket.list_dirs(prefix)):
                for info in self._bucket.list(f"{prefix}{partition}/"):
                    yield RecordId(log_id, partition, int(PurePosixPath(info.key).stem))

    def get(self, record_id: RecordId) -> QuarantinedRecord:
        try:
            return QuarantinedRecord.decode(self._bucket.get(_key(record_id)))
        except ObjectNotFound as error:
            raise NotQuarantined(
                f"no such record in the quarantine: log_id={record_id.log_id} partition={record_id.partition} "
                f"offset={record_id.offset}"
            ) from error

    def drop(self, record_id: RecordId) -> None:
        self._bucket.delete(_key(record_id))


def _key(record_id: RecordId) -> str:
    return layout.quarantine_key(record_id.log_id, record_id.partition, record_id.offset)
