"""A log of some segments, what was made of it, and whoever reads, compacts and cleans."""

from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from bucket.audit import audit
from bucket.blocks import Block, BlockCatalog, superseded
from bucket.bucket import Bucket
from bucket.memory import MemoryBucket
from bucket.workspace import Workspace
from compactor.compactor import Compactor
from compactor.settings import CompactorSettings
from forebay.clock import ManualClock
from forebay.units import Size
from query.block_files import open_block
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, one
from tsdb.block_reader import BlockReader
from tsdb.chunks import decode_floats

WINDOW = 7_200_000
SEGMENTS = 4
PER_SEGMENT = 3

Read = dict[tuple[str, str, int], int]
"""Bits of a value by tenant, series and time."""


class World(Rehearsal):
    """Two partitions of some segments each; samples reach back into the window before, so two windows are in play."""

    def __init__(self, directory: Path, segments: int = SEGMENTS) -> None:
        self.clock = ManualClock(START)
        self.segments = segments
        log = MemoryLog(partitions=2)
        for slot in range(segments):
            for partition in range(2):
                for number, tenant in enumerate((b"a", b"b", b"a")):
                    at = START + slot * SLOT + number * 1000
                    sample = one(at - (number // 2) * 600_000, slot * 10 + number, p=str(partition), n=str(number))
                    log.append(partition, sample, at, tenant=tenant)
        super().__init__(log, MemoryBucket(self.clock), directory)
        self.expected: Read = {}

    def publish(self) -> "World":
        self.run()
        self.expected = read(self.bucket)
        assert len(self.expected) == 2 * self.segments * PER_SEGMENT
        return self

    def copy(self) -> "World":
        """Of the log and the bucket as they are; both go on by themselves."""
        other = World(self.directory, self.segments)
        other.log.partitions = [list(records) for records in self.log.partitions]
        other.clock.advance((self.clock.now_ms() - START) / 1000)
        for key, data in objects(self.bucket).items():
            other.bucket.put(key, data)
        other.expected, other.external_labels, other.segment = self.expected, self.external_labels, self.segment
        return other

    def compact(self, bucket: Bucket | None = None) -> None:
        self.compactor(bucket).run_once()

    def compactor(self, bucket: Bucket | None = None) -> Compactor:
        return Compactor(
            bucket or self.bucket,
            settings=CompactorSettings(segment_bytes=Size(1 << 20)),
            workspace=Workspace(self.directory, "compactor"),
            clock=self.clock,
            logger=structlog.wrap_logger(structlog.ReturnLogger()),
            registry=CollectorRegistry(),
        )

    def compact_and_clean(self) -> "World":
        """Both windows merged, and their sources removed."""
        self.clock.advance(4 * WINDOW / 1000)
        self.compact()
        self.clock.advance(49 * 3600)
        self.compact()
        assert {block.level for block in BlockCatalog(self.bucket).live()} == {2}
        assert read(self.bucket) == self.expected
        return self

    def check(self) -> None:
        """What must hold at every moment, whoever reads."""
        assert read(self.bucket) == self.expected
        report = audit(self.bucket, now_ms=self.clock.now_ms(), deep=True)
        assert report.ok, report.discrepancies
        assert report.totals.stored == len(self.expected)

    def labels(self) -> set[str]:
        return {block.labels["cluster"] for block in counting(self.bucket)}


def counting(bucket: Bucket) -> list[Block]:
    live = BlockCatalog(bucket).live()
    hidden = superseded(live)
    return [block for block in live if block.ulid not in hidden]


def read(bucket: Bucket) -> Read:
    """As readers do; a sample that two blocks hold is an error, whatever their external labels."""
    found: Read = {}
    for block in counting(bucket):
        for labels, chunks in BlockReader(open_block(bucket, block.ulid)).series():
            for chunk in chunks:
                for timestamp, bits in zip(*decode_floats(chunk.data), strict=True):
                    key = (block.tenant, str(labels), timestamp)
                    assert key not in found, f"twice: {key}"
                    found[key] = bits
    return found
