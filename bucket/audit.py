"""Proves a whole bucket: chains without gap or overlap, ledgers that balance, blocks that are all there."""

from collections.abc import Callable

from bucket.audit_blocks import BlockAudit
from bucket.audit_chains import ChainAudit
from bucket.audit_quarantine import QuarantineAudit
from bucket.audit_report import AuditReport, Findings, PartitionRow, Progress, Totals
from bucket.bucket import Bucket
from bucket.layout import GENERATIONS
from bucket.manifests import ManifestStore
from bucket.overlay import Overlay
from bucket.rollups import ManifestCorrupt


def _ignore(progress: Progress) -> None:
    """Nobody is watching."""


def audit(
    bucket: Bucket, *, now_ms: int, deep: bool = False, progress: Callable[[Progress], None] = _ignore
) -> AuditReport:
    """Only reads; may run beside everything else. `deep` reads every object that counts and compares its SHA-256.

    Raises BucketUnavailable and BucketMisconfigured. What is wrong with the contents is in the report.

    1. Load the generations: they say which manifests are in force, and which blocks stopped counting.
    2. Read the manifests in force. What they name was in the bucket before them.
    3. List the quarantine: each record named is there, or an operator has settled it.
    4. List the blocks: each one named is there, or is a source of an output that counts.
    """
    findings = Findings()
    manifests = ManifestStore(bucket)
    # 1.
    overlay, complete = _load(manifests, findings)
    # 2.
    chains = ChainAudit(manifests, overlay, findings, progress)
    chains.run()
    # 3.
    QuarantineAudit(bucket, findings, now_ms).run(chains.quarantined)
    # 4.
    blocks = BlockAudit(
        bucket,
        chains.blocks,
        overlay.retired,
        findings,
        progress,
        complete=complete and chains.complete,
        deep=deep,
        now_ms=now_ms,
    )
    blocks.run()
    return AuditReport(
        partitions=tuple(chains.rows),
        totals=_totals(chains.rows, blocks),
        discrepancies=tuple(findings.discrepancies),
        notes=tuple(findings.notes),
        deep=deep,
    )


def _load(manifests: ManifestStore, findings: Findings) -> tuple[Overlay, bool]:
    """And whether all of them could be read."""
    try:
        return manifests.generations.load(), True
    except ManifestCorrupt as error:
        findings.discrepancy("manifest-corrupt", GENERATIONS, str(error.args[0]))
        return Overlay(), False


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
        replaced=blocks.replaced,
        compacted=blocks.compacted,
        files=blocks.files,
        hashed_bytes=blocks.hashed_bytes,
    )
