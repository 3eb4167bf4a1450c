"""What the bucket holds of a segment's blocks."""

from bucket import layout
from bucket.blocks import BlockCatalog, BlockKind
from bucket.bucket import Bucket, ObjectNotFound
from bucket.digest import sha256_of
from bucket.manifest import BlockEntry
from consumers.replay_report import BlockReport, BlockState
from tsdb import meta
from tsdb import ulid as ulids
from tsdb.errors import CorruptBlock


class BlockCheck:
    """Compares blocks with what a manifest says of them, by SHA-256. The bucket's blocks are listed once, at first."""

    def __init__(self, bucket: Bucket, catalog: BlockCatalog) -> None:
        self._bucket = bucket
        self.blocks = {block.ulid: block for block in catalog.every()}
        self._holders: dict[str, list[str]] = {}
        for block in self.blocks.values():
            if block.kind is BlockKind.COMPACTED and block.resolution == 0:
                for source in block.sources:
                    self._holders.setdefault(source, []).append(block.ulid)
        self._whole: dict[str, bool] = {}

    def check(self, entry: BlockEntry) -> BlockReport:
        """Reads all of the block, but for one that was compacted: there, of the block that holds its samples."""
        state: BlockState
        holder = self.holder(entry.ulid)
        if holder is not None:
            state, detail = "compacted", f"its samples are in ulid={holder}"
        else:
            state, detail = self._look(entry)
        return BlockReport(entry.ulid, entry.tenant, entry.window, entry.samples, state, detail)

    def compare(self, entry: BlockEntry) -> BlockReport:
        """As `check`, of the block itself, wherever else its samples may lie."""
        state, detail = self._look(entry)
        return BlockReport(entry.ulid, entry.tenant, entry.window, entry.samples, state, detail)

    def holder(self, ulid: str) -> str | None:
        """A compaction output that is whole and holds this block's samples."""
        return next((holder for holder in self._holders.get(ulid, ()) if self.is_whole(holder)), None)

    def is_whole(self, ulid: str) -> bool:
        """Whether all files that its meta.json lists are there, in the sizes and with the hashes that it says."""
        if ulid not in self._whole:
            self._whole[ulid] = self._holds_all(ulid)
        return self._whole[ulid]

    def strangers(self, log_id: str, partition: int, start: int) -> set[str]:
        """Blocks that were built from the segment that begins here, and that no manifest names."""
        return {
            block.ulid
            for block in self.blocks.values()
            if block.kind is BlockKind.ORPHAN
            and block.segment is not None
            and (block.segment.log_id, block.segment.partition, block.segment.start) == (log_id, partition, start)
        }

    def compacted_at(self, time: int) -> set[str]:
        """Blocks that were compacted, of whatever segments that ended with a record of this append time."""
        return {source for source in self._holders if ulids.parse(source)[0] == time}

    def _look(self, entry: BlockEntry) -> tuple[BlockState, str]:
        sizes = {info.key: info.size for info in self._bucket.list(f"{entry.ulid}/")}
        gone = [file.path for file in entry.files if layout.block_key(entry.ulid, file.path) not in sizes]
        if gone:
            return "missing", "" if len(gone) == len(entry.files) else f"files={','.join(gone)}"
        wrong = [
            file.path
            for file in entry.files
            if not self._is(layout.block_key(entry.ulid, file.path), sizes, file.size, file.sha256)
        ]
        return ("different", f"files={','.join(wrong)}") if wrong else ("present", "")

    def _holds_all(self, ulid: str) -> bool:
        try:
            found = meta.decode(self._bucket.get(layout.block_key(ulid, layout.META)))
        except (ObjectNotFound, CorruptBlock):
            return False
        sizes = {info.key: info.size for info in self._bucket.list(f"{ulid}/")}
        return found.thanos is not None and all(
            self._is(
                layout.block_key(ulid, file.rel_path), sizes, file.size_bytes, file.hash.value if file.hash else ""
            )
            for file in found.thanos.files
            if file.rel_path != layout.META
        )

    def _is(self, key: str, sizes: dict[str, int], size: int, sha256: str) -> bool:
        try:
            return sizes.get(key) == size and (not sha256 or sha256_of(self._bucket, key, size) == sha256)
        except ObjectNotFound:
            return False
