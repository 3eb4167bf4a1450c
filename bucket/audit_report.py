"""What `forebay audit` found. Plain data: the command prints it as a table or as JSON."""

from typing import Literal, NamedTuple

import msgspec

Code = Literal[
    "manifest-corrupt",
    "manifest-vanished",
    "chain-gap",
    "chain-overlap",
    "recipe-digest",
    "ledger-unbalanced",
    "ledger-stored",
    "block-named-twice",
    "block-missing",
    "block-meta",
    "file-missing",
    "file-size",
    "file-hash",
    "compaction-source",
    "compaction-samples",
    "quarantine-missing",
]
NoteCode = Literal[
    "lost-offsets",
    "quarantined",
    "quarantine-replayed",
    "quarantine-dropped",
    "orphan",
    "partial",
    "superseded",
    "replaced",
]

_RESTORE = (
    "build it again from the log: forebay replay --dry-run, then without; where its records are gone, restore it from "
    "a copy of the bucket"
)
HINTS: dict[Code, str] = {
    "manifest-corrupt": "restore the object from a copy of the bucket; its segment's blocks are not in doubt",
    "manifest-vanished": "run the audit again; if it stays away, it was removed: restore it from a copy of the bucket",
    "chain-gap": "a manifest was removed, at this key or behind it: restore it from a copy of the bucket",
    "chain-overlap": "two chains were mixed: compare both manifests' blocks with the log before removing either",
    "recipe-digest": "the manifest was changed after it was made: restore it from a copy of the bucket",
    "ledger-unbalanced": "samples are unaccounted for: keep the manifest and report it as a bug",
    "ledger-stored": "samples are unaccounted for: keep the manifest and report it as a bug",
    "block-named-twice": "one of the manifests was copied: restore it from a copy of the bucket",
    "block-missing": _RESTORE,
    "block-meta": _RESTORE,
    "file-missing": _RESTORE,
    "file-size": _RESTORE,
    "file-hash": _RESTORE,
    "compaction-source": "stop the compactor: it merged a block that was never published; report it as a bug",
    "compaction-samples": "stop the compactor, keep the sources that are marked for deletion, and report it as a bug",
    "quarantine-missing": "nobody replayed or dropped it: restore it from a copy of the bucket",
}


class Discrepancy(msgspec.Struct, frozen=True):
    """Something that must not be."""

    code: Code
    where: str
    """The key of the object in question."""
    message: str
    hint: str


class Note(msgspec.Struct, frozen=True):
    """Something worth knowing, and nothing wrong."""

    code: NoteCode
    where: str
    message: str
    age: int | None = None
    """Since the newest of its objects was written, ms; of blocks, and of what was done with poison records."""


class PartitionRow(msgspec.Struct, frozen=True):
    """One chain. Counts are sums over the ledgers of all tenants."""

    log_id: str
    partition: int
    segments: int
    start: int
    """First offset of the chain, and one behind its last record."""
    end: int
    lost_offsets: int
    """Inside manifests' gaps: the log had lost them before they were read."""
    records: int
    samples: int
    stored: int
    duplicate: int
    deduplicated: int
    rejected: dict[str, int]
    quarantined: int
    blocks: int


class Totals(msgspec.Struct, frozen=True):
    partitions: int
    segments: int
    samples: int
    stored: int
    duplicate: int
    deduplicated: int
    rejected: int
    quarantined: int
    blocks: int
    """Named by manifests."""
    superseded: int
    """Of these, blocks whose samples a compaction output holds."""
    replaced: int
    """Blocks that a rebuild put others in place of, and that are still there."""
    compacted: int
    """Compaction outputs."""
    files: int
    """Looked at; `hashed_bytes` of them read and compared."""
    hashed_bytes: int


class AuditReport(msgspec.Struct, frozen=True):
    partitions: tuple[PartitionRow, ...]
    totals: Totals
    discrepancies: tuple[Discrepancy, ...]
    notes: tuple[Note, ...]
    deep: bool

    @property
    def ok(self) -> bool:
        return not self.discrepancies


class Progress(NamedTuple):
    """`total` is 0 while it is not known."""

    stage: Literal["manifests", "blocks"]
    done: int
    total: int


class Findings:
    """Collects while the audit goes on."""

    def __init__(self) -> None:
        self.discrepancies: list[Discrepancy] = []
        self.notes: list[Note] = []

    def discrepancy(self, code: Code, where: str, message: str) -> None:
        self.discrepancies.append(Discrepancy(code, where, message, HINTS[code]))

    def note(self, code: NoteCode, where: str, message: str, age: int | None = None) -> None:
        self.notes.append(Note(code, where, message, age))
