"""The second half of an audit: every block, against the manifest that names it or the merge that made it."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import NamedTuple

from bucket.audit_chains import ExpectedBlock
from bucket.audit_meta import AuditedMeta, decode_meta
from bucket.audit_report import Findings, NoteCode, Progress
from bucket.blocks import is_block_name
from bucket.bucket import Bucket, ObjectInfo, ObjectNotFound
from bucket.digest import sha256_of
from bucket.layout import META, block_key

_BEHIND_ULIDS = "8"  # every ULID sorts before it, and `forebay/` behind


class _Stored(NamedTuple):
    files: dict[str, ObjectInfo]
    """By path in the block."""
    meta: AuditedMeta | None

    @property
    def compacted(self) -> bool:
        ours = self.meta.ours if self.meta else None
        return ours is not None and ours.compacted

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(self.meta.compaction.sources) if self.meta else frozenset()


class _Wanted(NamedTuple):
    path: str
    size: int | None
    sha256: str | None


class BlockAudit:
    """Looks at the blocks once. `complete` says that `expected` holds all that manifests name.

    `retired` are blocks that a rebuild put others in place of; neither they nor what was compacted from them count.
    """

    def __init__(
        self,
        bucket: Bucket,
        expected: Mapping[str, ExpectedBlock],
        retired: AbstractSet[str],
        findings: Findings,
        progress: Callable[[Progress], None],
        *,
        complete: bool,
        deep: bool,
        now_ms: int,
    ) -> None:
        self._bucket = bucket
        self._expected = expected
        self._retired = retired
        self._findings = findings
        self._progress = progress
        self._complete = complete
        self._deep = deep
        self._now_ms = now_ms
        self._blocks: dict[str, _Stored] = {}
        self._outputs: dict[str, _Stored] = {}
        self._holders: dict[str, list[str]] = {}
        self.files = 0
        self.hashed_bytes = 0
        self.superseded = 0
        self.replaced = 0

    @property
    def compacted(self) -> int:
        return len(self._outputs)

    def run(self) -> None:
        self._blocks = dict(self._list())
        self._outputs = {
            ulid: block
            for ulid, block in self._blocks.items()
            if block.compacted and self._retired.isdisjoint(block.sources)
        }
        for ulid, output in self._outputs.items():
            for source in output.sources:
                self._holders.setdefault(source, []).append(ulid)
        ulids = sorted(self._expected.keys() | self._blocks.keys())
        for done, ulid in enumerate(ulids, 1):
            if ulid in self._expected:
                self._audit_named(ulid, self._expected[ulid])
            elif ulid in self._outputs:
                self._audit_output(ulid, self._outputs[ulid])
            elif ulid in self._retired or self._blocks[ulid].compacted:
                self.replaced += 1
                self._note_block(
                    "replaced", ulid, self._blocks[ulid], "a rebuild put others in its place; the compactor removes it"
                )
            else:
                self._note_other(ulid, self._blocks[ulid])
            self._progress(Progress("blocks", done, len(ulids)))

    def _list(self) -> Iterator[tuple[str, _Stored]]:
        for ulid, infos in groupby(self._objects(), lambda info: info.key.partition("/")[0]):
            if is_block_name(ulid):
                files = {info.key.removeprefix(f"{ulid}/"): info for info in infos}
                yield ulid, _Stored(files, self._read_meta(ulid) if META in files else None)

    def _objects(self) -> Iterator[ObjectInfo]:
        for info in self._bucket.list(""):
            if info.key >= _BEHIND_ULIDS:
                return
            yield info

    def _read_meta(self, ulid: str) -> AuditedMeta | None:
        try:
            meta = decode_meta(self._bucket.get(block_key(ulid, META)))
        except ObjectNotFound:
            return None  # removed since it was listed
        return meta if meta is not None and meta.ulid == ulid else None

    def _holder(self, ulid: str, sources: frozenset[str]) -> str | None:
        """A compaction output, other than `ulid`, that holds all of `sources`."""
        for other in self._holders.get(min(sources), ()) if sources else ():
            held = self._outputs[other].sources
            if other != ulid and (sources < held or (sources == held and other > ulid) or ulid in held):
                return other
        return None

    def _audit_named(self, ulid: str, expected: ExpectedBlock) -> None:
        holder = self._holder(ulid, frozenset([ulid]))
        stored = self._blocks.get(ulid)
        if holder is not None:
            # Whatever is left of it is on its way out; what counts is looked at where the output stands.
            self.superseded += 1
            if stored is not None:
                self._note_block(
                    "superseded", ulid, stored, f"its samples are in ulid={holder}; the compactor removes it"
                )
            return
        if stored is None:
            self._findings.discrepancy("block-missing", f"{ulid}/", f"a manifest names it {_of(expected)}")
            return
        entries = {file.path: _Wanted(file.path, file.size, file.sha256) for file in expected.entry.files}
        entries.setdefault(META, _Wanted(META, None, None))
        self._audit_files(ulid, stored, list(entries.values()))
        ours = stored.meta.ours if stored.meta else None
        origin = (ours.log_id, ours.partition, ours.start, ours.end) if ours else None
        if META in stored.files and origin != expected[1:]:
            self._findings.discrepancy(
                "block-meta", block_key(ulid, META), f"not the one of the segment {_of(expected)}"
            )

    def _audit_output(self, ulid: str, stored: _Stored) -> None:
        holder = self._holder(ulid, stored.sources)
        if holder is not None:
            self._note_block("superseded", ulid, stored, f"its samples are in ulid={holder}; the compactor removes it")
            return
        if stored.meta is None:
            return  # an output is known by its meta
        files = [
            _Wanted(
                file.rel_path,
                None if file.rel_path == META else file.size_bytes,
                file.hash.value if file.hash and file.hash.func == "SHA256" else None,
            )
            for file in stored.meta.thanos.files
        ]
        self._audit_files(ulid, stored, files)
        self._audit_merge(ulid, stored.meta)

    def _audit_merge(self, ulid: str, meta: AuditedMeta) -> None:
        where = block_key(ulid, META)
        for source in meta.compaction.sources:
            if self._complete and source not in self._expected:
                self._findings.discrepancy("compaction-source", where, f"no manifest names a source ulid={source}")
        counts = meta.ours.samples if meta.ours else None
        if counts is None:
            self._findings.discrepancy(
                "compaction-samples", where, "it does not say what became of its sources' samples"
            )
            return
        if counts.read != counts.written + counts.duplicate + counts.conflicting:
            outcomes = f"written={counts.written} duplicate={counts.duplicate} conflicting={counts.conflicting}"
            self._findings.discrepancy("compaction-samples", where, f"read={counts.read} {outcomes}")
        if counts.written != meta.stats.num_samples:
            self._findings.discrepancy(
                "compaction-samples", where, f"written={counts.written} in_block={meta.stats.num_samples}"
            )
        parents = [self._samples_of(parent.ulid) for parent in meta.compaction.parents]
        known = [samples for samples in parents if samples is not None]
        if len(known) == len(parents) and sum(known) != counts.read:
            self._findings.discrepancy("compaction-samples", where, f"read={counts.read} in_sources={sum(known)}")

    def _samples_of(self, ulid: str) -> int | None:
        """None for an output that is gone already: it was removed when a later one held all of it."""
        if ulid in self._expected:
            return self._expected[ulid].entry.samples
        output = self._outputs.get(ulid)
        return output.meta.stats.num_samples if output and output.meta else None

    def _audit_files(self, ulid: str, stored: _Stored, wanted: list[_Wanted]) -> None:
        for path, size, sha256 in wanted:
            key = block_key(ulid, path)
            self.files += 1
            info = stored.files.get(path)
            if info is None:
                self._findings.discrepancy("file-missing", key, "it is not in the bucket")
            elif size is not None and info.size != size:
                self._findings.discrepancy("file-size", key, f"size={info.size} expected={size}")
            elif self._deep and sha256 is not None:
                self._compare_hash(key, info.size, sha256)

    def _compare_hash(self, key: str, size: int, expected: str) -> None:
        try:
            found = sha256_of(self._bucket, key, size)
        except ObjectNotFound:
            self._findings.discrepancy("file-missing", key, "it vanished during the audit")
            return
        self.hashed_bytes += size
        if found != expected:
            self._findings.discrepancy("file-hash", key, f"sha256={found} expected={expected}")

    def _note_other(self, ulid: str, stored: _Stored) -> None:
        if stored.meta is None:
            self._note_block(
                "partial",
                ulid,
                stored,
                "no meta.json that can be read: an upload or removal is under way, or was cut off",
            )
        elif stored.meta.ours is not None and self._complete:
            self._note_block(
                "orphan",
                ulid,
                stored,
                "no manifest names it: its segment is being published, or another builder was first",
            )

    def _note_block(self, code: NoteCode, ulid: str, stored: _Stored, message: str) -> None:
        newest = max(info.modified_ms for info in stored.files.values())
        self._findings.note(code, f"{ulid}/", message, self._now_ms - newest)


def _of(expected: ExpectedBlock) -> str:
    return f"log_id={expected.log_id} partition={expected.partition} start={expected.start} end={expected.end}"
