"""A bucket with segment blocks as consumers make them, and all that a compactor needs."""

import hashlib
import tempfile
from array import array
from collections.abc import Mapping
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import CapturingLogger

from bucket.blocks import BlockCatalog, superseded
from bucket.bucket import Bucket
from bucket.layout import block_key
from bucket.manifest import BlockEntry, FileEntry
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from bucket.workspace import Workspace
from compactor.compactor import Compactor
from compactor.settings import CompactorSettings
from consumers.block_meta import describe_block
from consumers.naming import BlockIdentity
from forebay.clock import ManualClock
from tests.bucket.manifests import RECIPE, TIME, make_manifest
from tests.tsdb.block_oracle import symbols_of
from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.block_writer import BlockWriter
from tsdb.chunk import Labels
from tsdb.chunks import decode_floats, encode_floats

WINDOW = TIME
HOUR = 3600.0
Samples = dict[int, int]
"""Bits of a value by time."""
Series = Mapping[str, Samples]
"""By the value of the one label."""


def labels_of(name: str) -> Labels:
    return ((b"__name__", name.encode()),)


class World:
    def __init__(self, scratch: Path, bucket: Bucket | None = None) -> None:
        self.clock = ManualClock(WINDOW)
        self.bucket = bucket or MemoryBucket(self.clock)
        self.scratch = scratch
        self.logged = CapturingLogger()

    def publish(
        self,
        partition: int,
        start: int,
        series: Series,
        *,
        tenant: str = "t",
        window: int = WINDOW,
        manifest: bool = True,
        whole: bool = True,
    ) -> str:
        """A segment [start, start + 10) with one block; its ULID."""
        identity = BlockIdentity("log", partition, start, start + 10, tenant, window, RECIPE.digest())
        append_time = TIME + start
        ulid = identity.ulid(append_time)
        with tempfile.TemporaryDirectory(dir=self.scratch) as staging:
            directory = Path(staging)
            writer = BlockWriter(directory)
            writer.add_symbols(symbols_of([labels_of(name) for name in series]))
            for name, samples in sorted(series.items()):
                times = sorted(samples)
                chunks = encode_floats(array("q", times), array("Q", [samples[t] for t in times]))
                writer.add(labels_of(name), chunks)
            stats = writer.finish()
            paths = [*(f"chunks/{name}" for name in stats.segment_files), "index"]
            files = [_entry(directory, path) for path in paths]
            if whole:
                meta = describe_block(identity, RECIPE, stats, files, append_time)
                (directory / "meta.json").write_bytes(meta.encode())
                paths.append("meta.json")
            for file in paths:
                self.bucket.put_file(block_key(ulid, file), directory / file)
        if manifest:
            entry = BlockEntry(
                ulid=ulid,
                tenant=tenant,
                window=window,
                min_time=stats.min_time,
                max_time=stats.max_time,
                series=stats.series,
                samples=stats.samples,
                files=tuple(files),
            )
            ManifestStore(self.bucket).create(make_manifest(start, start + 10, partition=partition, blocks=(entry,)))
        return ulid

    def compactor(
        self,
        bucket: Bucket | None = None,
        settings: CompactorSettings | None = None,
        registry: CollectorRegistry | None = None,
    ) -> Compactor:
        return Compactor(
            bucket or self.bucket,
            settings=settings or CompactorSettings(),
            workspace=self.workspace(),
            clock=self.clock,
            logger=structlog.wrap_logger(self.logged, processors=[]),
            registry=registry or CollectorRegistry(),
        )

    def workspace(self) -> Workspace:
        """A process' own; `scratch/work` holds them all."""
        return Workspace(self.scratch / "work", "compactor")

    def close_window(self) -> None:
        self.clock.advance(3 * HOUR + 1)

    def objects(self) -> dict[str, bytes]:
        return {info.key: self.bucket.get(info.key) for info in self.bucket.list("")}

    def block_objects(self) -> dict[str, bytes]:
        """Without the marks, which hold the time of marking."""
        return {key: data for key, data in self.objects().items() if not key.endswith("mark.json")}

    def ulids(self) -> list[str]:
        return [name for name in self.bucket.list_dirs("") if name != "forebay"]

    def read(self, tenant: str = "t") -> dict[str, Samples]:
        """As readers do: blocks that count, those superseded left out, merged by time, the first by ULID wins."""
        live = BlockCatalog(self.bucket).live()
        hidden = superseded(live)
        found: dict[str, Samples] = {}
        for block in live:
            if block.ulid not in hidden and block.tenant == tenant:
                for name, samples in self.read_block(block.ulid).items():
                    found[name] = samples | found.get(name, {})
        return found

    def read_block(self, ulid: str) -> dict[str, Samples]:
        """Each sample of one block; one that is there twice is an error."""
        found: dict[str, Samples] = {}
        with tempfile.TemporaryDirectory(dir=self.scratch) as path:
            self.fetch(ulid, Path(path))
            for labels, chunks in BlockReader(LocalBlock(Path(path))).series():
                pairs = [pair for chunk in chunks for pair in zip(*decode_floats(chunk.data), strict=True)]
                found[labels[0][1].decode()] = dict(pairs)
                assert len(dict(pairs)) == len(pairs)
        return found

    def fetch(self, ulid: str, directory: Path) -> None:
        for info in self.bucket.list(f"{ulid}/"):
            target = directory / info.key.removeprefix(f"{ulid}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            self.bucket.download(info.key, target)


def _entry(directory: Path, path: str) -> FileEntry:
    data = (directory / path).read_bytes()
    return FileEntry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
