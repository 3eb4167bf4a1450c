"""The audit of poison records: each one that a manifest names is kept, or was settled by an operator, or was lost."""

from collections.abc import Mapping, Sequence

from bucket import quarantined
from bucket.audit_report import Findings, NoteCode
from bucket.bucket import Bucket
from bucket.layout import quarantine_key, settled_key
from bucket.manifest import Quarantined

_SETTLED: dict[str, NoteCode] = {
    quarantined.REPLAYED: "quarantine-replayed",
    quarantined.DROPPED: "quarantine-dropped",
}


class QuarantineAudit:
    """Looks after the manifests were read: what they name was in the bucket before them."""

    def __init__(self, bucket: Bucket, findings: Findings, now_ms: int) -> None:
        self._bucket = bucket
        self._findings = findings
        self._now_ms = now_ms

    def run(self, named: Mapping[tuple[str, int], Sequence[Quarantined]]) -> None:
        """`named`: what manifests name, by log id and partition."""
        for (log_id, partition), poison in named.items():
            there = {place.offset: place for place in quarantined.places(self._bucket, log_id, partition)}
            for each in poison:
                # Asked for again, where the listing may have passed between tombstone and removal.
                place = there.get(each.offset) or quarantined.look(self._bucket, log_id, partition, each.offset)
                self._audit(log_id, partition, each, place)

    def _audit(self, log_id: str, partition: int, named: Quarantined, place: quarantined.Place) -> None:
        message = f"tenant={named.tenant} reason={named.reason}"
        key = quarantine_key(log_id, partition, named.offset)
        if place.outcome:
            key = settled_key(log_id, partition, named.offset, place.outcome)
            self._findings.note(_SETTLED[place.outcome], key, message, self._now_ms - place.settled_ms)
        elif place.kept:
            self._findings.note("quarantined", key, message)
        else:
            self._findings.discrepancy("quarantine-missing", key, message)
