"""Which of the bucket's blocks count: those that a manifest names, and what was compacted from such."""

import enum
import threading
from collections.abc import Iterable, Iterator

import msgspec

from bucket.bucket import Bucket, ObjectNotFound
from bucket.layout import DELETION_MARK, META, block_key
from bucket.manifests import ManifestStore
from bucket.overlay import Overlay

_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26


class BlockKind(enum.Enum):
    """What the bucket says of a block."""

    SEGMENT = "segment"
    """A manifest names it."""
    COMPACTED = "compacted"
    """Made by our compactor; its meta.json is there, so it is whole."""
    ORPHAN = "orphan"
    """Made by a builder, and no manifest names it: not yet, or never."""
    REPLACED = "replaced"
    """A rebuild has put other blocks in its place, or in that of something it was compacted from."""
    FOREIGN = "foreign"
    """Not ours. Never read, never touched."""
    PARTIAL = "partial"
    """It has no meta.json that can be read: an upload under way, or one that was cut off."""


class SegmentOf(msgspec.Struct, frozen=True):
    """The segment that a block was built from."""

    log_id: str
    partition: int
    start: int
    end: int


class Block(msgspec.Struct, frozen=True):
    """A block's meta.json as far as the bucket's keepers need it. Times in ms."""

    ulid: str
    kind: BlockKind
    tenant: str = ""
    window: int = 0
    """Start of its two hours."""
    min_time: int = 0
    max_time: int = 0
    """First sample, and one behind the last: as in meta.json."""
    labels: dict[str, str] = {}
    """External labels."""
    resolution: int = 0
    level: int = 0
    sources: frozenset[str] = frozenset()
    """Level-1 ancestors, itself where it is one."""
    series: int = 0
    samples: int = 0
    size: int = 0
    """Bytes of all files but meta.json."""
    upload_time: str = ""
    segment: SegmentOf | None = None

    @property
    def is_live(self) -> bool:
        return self.kind in {BlockKind.SEGMENT, BlockKind.COMPACTED}


class _Stats(msgspec.Struct, rename="camel"):
    num_samples: int = 0
    num_series: int = 0


class _Compaction(msgspec.Struct):
    level: int = 1
    sources: tuple[str, ...] = ()


class _Downsample(msgspec.Struct):
    resolution: int = 0


class _File(msgspec.Struct):
    size_bytes: int = 0


class _Ours(msgspec.Struct):
    tenant: str
    window: int
    compacted: bool = False
    log_id: str = ""
    partition: int = 0
    start: int = 0
    end: int = 0


class _Extensions(msgspec.Struct):
    forebay: _Ours | None = None


class _Thanos(msgspec.Struct):
    labels: dict[str, str] | None = None
    downsample: _Downsample = msgspec.field(default_factory=_Downsample)
    files: tuple[_File, ...] = ()
    extensions: _Extensions | None = None
    upload_time: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    ulid: str
    min_time: int
    max_time: int
    compaction: _Compaction
    stats: _Stats = msgspec.field(default_factory=_Stats)
    thanos: _Thanos = msgspec.field(default_factory=_Thanos)


_META = msgspec.json.Decoder(_Meta)


class BlockCatalog:
    """Lists and classifies; thread-safe. Blocks that were found live are remembered: only a rebuild ends that.

    Generations are loaded before blocks are listed, and hold for the whole listing: what one names was in the bucket
    before it, and where one was not seen yet, what it replaces still counts, and is still there.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._manifests = ManifestStore(bucket)
        self._live: dict[str, Block] = {}
        """As they were before any rebuild."""
        self._lock = threading.Lock()

    def every(self) -> Iterator[Block]:
        """Every block directory of the bucket, ascending by ULID, whatever its kind.

        Raises what the bucket raises, and ManifestCorrupt. Blocks that vanish meanwhile are left out.
        """
        overlay = self._manifests.generations.load()
        present = [name for name in self._bucket.list_dirs("") if is_block_name(name)]
        with self._lock:
            known = {ulid: block for ulid in present if (block := self._live.get(ulid)) is not None}
            self._live = dict(known)
        for ulid in present:
            block = known.get(ulid) or self._read(ulid)
            if block is None:
                continue
            block = _in_force(block, overlay)
            if block.is_live:
                with self._lock:
                    self._live[ulid] = block
            yield block

    def live(self) -> list[Block]:
        """The blocks that hold the bucket's samples, ascending by ULID; superseded ones too, until they are deleted."""
        return [block for block in self.every() if block.is_live]

    def is_marked(self, ulid: str) -> bool:
        """Whether the block is marked for deletion."""
        try:
            self._bucket.stat(block_key(ulid, DELETION_MARK))
        except ObjectNotFound:
            return False
        return True

    def _read(self, ulid: str) -> Block | None:
        try:
            data = self._bucket.get(block_key(ulid, META))
        except ObjectNotFound:
            anything = next(self._bucket.list(f"{ulid}/"), None)
            return Block(ulid, BlockKind.PARTIAL) if anything is not None else None
        try:
            return self._classified(_META.decode(data))
        except msgspec.DecodeError:
            return Block(ulid, BlockKind.PARTIAL)

    def _classified(self, meta: _Meta) -> Block:
        thanos = meta.thanos
        ours = thanos.extensions.forebay if thanos.extensions is not None else None
        segment = None
        if ours is None:
            kind = BlockKind.FOREIGN
        elif ours.compacted:
            kind = BlockKind.COMPACTED
        else:
            segment = SegmentOf(ours.log_id, ours.partition, ours.start, ours.end)
            manifest = self._manifests.original(ours.log_id, ours.partition, ours.start)
            named = manifest is not None and any(entry.ulid == meta.ulid for entry in manifest.blocks)
            kind = BlockKind.SEGMENT if named else BlockKind.ORPHAN
        return Block(
            ulid=meta.ulid,
            kind=kind,
            tenant=ours.tenant if ours is not None else "",
            window=ours.window if ours is not None else 0,
            min_time=meta.min_time,
            max_time=meta.max_time,
            labels=thanos.labels or {},
            resolution=thanos.downsample.resolution,
            level=meta.compaction.level,
            sources=frozenset(meta.compaction.sources),
            series=meta.stats.num_series,
            samples=meta.stats.num_samples,
            size=sum(file.size_bytes for file in thanos.files),
            upload_time=thanos.upload_time,
            segment=segment,
        )


def _in_force(block: Block, overlay: Overlay) -> Block:
    """The block as of these generations."""
    if block.ulid in overlay.named and block.kind is BlockKind.ORPHAN:
        return msgspec.structs.replace(block, kind=BlockKind.SEGMENT)
    if block.is_live and not overlay.retired.isdisjoint(block.sources):
        return msgspec.structs.replace(block, kind=BlockKind.REPLACED)
    return block


def is_block_name(name: str) -> bool:
    """Whether a directory of the bucket has a ULID's name."""
    return len(name) == _ULID_LENGTH and name[0] < "8" and all(letter in _ULID for letter in name)


def superseded(blocks: Iterable[Block]) -> dict[str, str]:
    """Blocks whose samples all lie in another live block of the list: its ULID by theirs.

    A block is never superseded merely because it is marked: what replaces it must be seen. Of two with the same
    sources the one of the higher level stands, of two such outputs the one with the greater ULID.
    """
    streams: dict[tuple[object, ...], list[Block]] = {}
    for block in blocks:
        if block.is_live:
            stream = (block.tenant, block.resolution, *sorted(block.labels.items()))
            streams.setdefault(stream, []).append(block)
    found: dict[str, str] = {}
    for stream_blocks in streams.values():
        stream_blocks.sort(key=_rank)
        outputs = [block for block in stream_blocks if block.kind is BlockKind.COMPACTED]
        for block in stream_blocks:
            for output in outputs:
                if _rank(output) > _rank(block) and block.sources <= output.sources:
                    found[block.ulid] = output.ulid
                    break
    return found


def _rank(block: Block) -> tuple[int, int, str]:
    return (len(block.sources), block.level, block.ulid)
