"""Proves a whole bucket: chains without gap or overlap, ledgers that balance, blocks that are all there."""

from collections.abc import Callable

from bucket.audit_blocks import BlockAudit
from bucket.audit_chains import ChainAudit
from bucket.audit_quarantine import QuarantineAudit
from bucket.audit_report import AuditReport, Findings, PartitionRow, Progress, Totals
from bucket.bucket import Bucket
from bucket.manifests import ManifestStore


def _ignore(progress: Progress) -> None:
    """Nobody is watching."""


def audit(
    bucket: Bucket, *, now_ms: int, deep: bool = False, progress: Callable[[Progress], None] = _ignore
) -> AuditReport:
    """Only reads; may run beside everything else. `deep` reads every object that counts and compares its SHA-256.

    Raises BucketUnavailable and BucketMisconfigured. What is wrong with the contents is in the report.

    1. Read the manifests. What they name was in the bucket before them.
    2. List the quarantine: each record named is there, or an operator has settled it.
    3. List the blocks: each one named is there, or is a source of an output that is.
    """
    findings = Findings()
    # 1.
    chains = ChainAudit(ManifestStore(bucket), findings, progress)
    chains.run()
    # 2.
    QuarantineAudit(bucket, findings, now_ms).run(chains.quarantined)
    # 3.
    blocks = BlockAudit(bucket, chains.blocks, findings, progress, complete=chains.complete, deep=deep, now_ms=now_ms)
    blocks.run()
    return AuditReport(
        partitions=tuple(chains.rows),
        totals=_totals(chains.rows, blocks),
        discrepancies=tuple(findings.discrepancies),
        notes=tuple(findings.notes),
        deep=deep,
    )


def _totals(rows: list[PartitionRow], blocks: BlockAudit) -> Totals:
    return Totals(
        partitions=len(rows),
        segments=sum(row.segments for row in rows),
        samples=sum(row.samples for row in rows),
        stored=sum(row.stored for row in rows),
        duplicate=sum(row.duplicate for row in rows),
        deduplicated=sum(row.deduplicated for row in rows),
        rejected=sum(sum(row.rejected.values()) for row in rows),
        quarantined=sum(row.quarantined for row in rows),
        blocks=sum(row.blocks for row in rows),
        superseded=blocks.superseded,
        compacted=blocks.compacted,
        files=blocks.files,
        hashed_bytes=blocks.hashed_bytes,
    )
