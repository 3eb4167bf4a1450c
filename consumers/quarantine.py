"""Quarantine in the bucket: beside the blocks, under the record's own place."""

import contextlib
from collections.abc import Iterator

from broker.quarantine import NotQuarantined, QuarantinedRecord, RecordId, Settled
from bucket import layout, quarantined
from bucket.bucket import Bucket, ObjectNotFound, PreconditionFailed


class BucketQuarantine:
    """Implements Quarantine."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, record: QuarantinedRecord) -> None:
        # A zombie, or whoever builds the segment again, must not bring back what an operator has settled.
        if quarantined.look(self._bucket, *record.id).outcome:
            return
        try:
            self._bucket.create(layout.quarantine_key(*record.id), record.encode())
        except PreconditionFailed:
            return  # it is kept already, of an attempt before

    def list(self) -> Iterator[RecordId]:
        for log_id, partition in quarantined.partitions(self._bucket):
            for place in quarantined.places(self._bucket, log_id, partition):
                if place.kept and not place.outcome:
                    yield RecordId(log_id, partition, place.offset)

    def get(self, record_id: RecordId) -> QuarantinedRecord:
        try:
            return QuarantinedRecord.decode(self._bucket.get(layout.quarantine_key(*record_id)))
        except ObjectNotFound as error:
            raise NotQuarantined(
                f"no such record in the quarantine: log_id={record_id.log_id} partition={record_id.partition} "
                f"offset={record_id.offset}",
                hint="forebay quarantine list shows those that there are",
            ) from error

    def settle(self, settled: Settled) -> None:
        with contextlib.suppress(PreconditionFailed):  # an attempt before came this far
            self._bucket.create(layout.settled_key(*settled.id, settled.outcome), settled.encode())
        self._bucket.delete(layout.quarantine_key(*settled.id))

    def finish_settled(self) -> int:
        """Removes records whose settling was cut off behind the tombstone; returns how many."""
        removed = 0
        for log_id, partition in quarantined.partitions(self._bucket):
            for place in quarantined.places(self._bucket, log_id, partition):
                if place.kept and place.outcome:
                    self._bucket.delete(layout.quarantine_key(log_id, partition, place.offset))
                    removed += 1
        return removed
