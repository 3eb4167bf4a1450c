"""The first half of an audit: every manifest of every chain, against its neighbours and its own ledger."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from bucket.audit_report import Code, Findings, PartitionRow, Progress
from bucket.layout import manifest_key
from bucket.manifest import BlockEntry, Manifest, Quarantined
from bucket.manifests import ManifestStore, ManifestVanished
from bucket.overlay import Overlay
from bucket.rollups import ManifestCorrupt


class ExpectedBlock(NamedTuple):
    """A block that a manifest names."""

    entry: BlockEntry
    log_id: str
    partition: int
    start: int
    end: int


class ChainAudit:
    """Walks the chains once; afterwards `rows`, `blocks` and `quarantined` say what they hold."""

    def __init__(
        self,
        manifests: ManifestStore,
        overlay: Overlay,
        findings: Findings,
        progress: Callable[[Progress], None],
    ) -> None:
        self._manifests = manifests
        self._overlay = overlay
        self._findings = findings
        self._progress = progress
        self._read = 0
        self.rows: list[PartitionRow] = []
        self.blocks: dict[str, ExpectedBlock] = {}
        """By ULID."""
        self.quarantined: dict[tuple[str, int], list[Quarantined]] = {}
        """By log id and partition."""
        self.complete = True
        """Every manifest could be read, so a block that none names is named by none."""

    def run(self) -> None:
        for log_id, partition in self._manifests.partitions(self._overlay):
            self._audit_partition(log_id, partition)

    def _audit_partition(self, log_id: str, partition: int) -> None:
        start: int | None = None
        end: int | None = None
        counts: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        for part in self._manifests.parts(log_id, partition, self._overlay):
            try:
                manifests = self._manifests.read(part)
            except (ManifestCorrupt, ManifestVanished) as error:
                self.complete = False
                code: Code = "manifest-corrupt" if isinstance(error, ManifestCorrupt) else "manifest-vanished"
                self._findings.discrepancy(code, part.key, str(error.args[0]))
                end = None  # where it ended is not known, so the next one follows on anything
                continue
            for manifest in manifests:
                self._audit_manifest(manifest, end)
                start = manifest.start if start is None else start
                end = manifest.end
                _count(manifest, counts, rejected)
                self._read += 1
                self._progress(Progress("manifests", self._read, 0))
        if start is not None:
            row = {name: counts[name] for name in _COUNTED}
            last = end if end is not None else counts["end"]
            self.rows.append(
                PartitionRow(log_id=log_id, partition=partition, start=start, end=last, rejected=dict(rejected), **row)
            )

    def _audit_manifest(self, manifest: Manifest, end: int | None) -> None:
        key = manifest_key(manifest.log_id, manifest.partition, manifest.start)
        if end is not None and manifest.start > end:
            missing = manifest_key(manifest.log_id, manifest.partition, end)
            self._findings.discrepancy(
                "chain-gap", missing, f"no manifest covers offsets from={end} to={manifest.start}"
            )
        if end is not None and manifest.start < end:
            self._findings.discrepancy(
                "chain-overlap", key, f"two manifests cover offsets from={manifest.start} to={min(end, manifest.end)}"
            )
        if manifest.recipe.digest() != manifest.recipe_digest:
            self._findings.discrepancy("recipe-digest", key, "recipe and digest differ")
        if manifest.gap is not None:
            lost_from, lost_to = manifest.gap
            self._findings.note("lost-offsets", key, f"the log had lost offsets from={lost_from} to={lost_to}")
        if manifest.quarantined:
            self.quarantined.setdefault((manifest.log_id, manifest.partition), []).extend(manifest.quarantined)
        self._audit_ledger(manifest, key)
        for entry in manifest.blocks:
            if entry.ulid in self.blocks:
                self._findings.discrepancy("block-named-twice", key, f"another manifest names it too ulid={entry.ulid}")
            self.blocks[entry.ulid] = ExpectedBlock(
                entry, manifest.log_id, manifest.partition, manifest.start, manifest.end
            )

    def _audit_ledger(self, manifest: Manifest, key: str) -> None:
        stored: Counter[str] = Counter()
        for entry in manifest.blocks:
            stored[entry.tenant] += entry.samples
        for tenant, ledger in sorted(manifest.ledger.items()):
            if not ledger.balances():
                outcomes = f"stored={ledger.stored} duplicate={ledger.duplicate} deduplicated={ledger.deduplicated}"
                self._findings.discrepancy(
                    "ledger-unbalanced",
                    key,
                    f"tenant={tenant} samples={ledger.samples} {outcomes} rejected={sum(ledger.rejected.values())}",
                )
        for tenant in sorted(stored.keys() | manifest.ledger.keys()):
            said = manifest.ledger[tenant].stored if tenant in manifest.ledger else 0
            if said != stored[tenant]:
                self._findings.discrepancy(
                    "ledger-stored", key, f"tenant={tenant} stored={said} in_blocks={stored[tenant]}"
                )


_COUNTED = (
    "segments",
    "lost_offsets",
    "records",
    "samples",
    "stored",
    "duplicate",
    "deduplicated",
    "quarantined",
    "blocks",
)


def _count(manifest: Manifest, counts: Counter[str], rejected: Counter[str]) -> None:
    counts["segments"] += 1
    counts["end"] = manifest.end
    counts["blocks"] += len(manifest.blocks)
    counts["quarantined"] += len(manifest.quarantined)
    if manifest.gap is not None:
        counts["lost_offsets"] += manifest.gap[1] - manifest.gap[0]
    for ledger in manifest.ledger.values():
        counts["records"] += ledger.records
        counts["samples"] += ledger.samples
        counts["stored"] += ledger.stored
        counts["duplicate"] += ledger.duplicate
        counts["deduplicated"] += ledger.deduplicated
        rejected.update(ledger.rejected)
