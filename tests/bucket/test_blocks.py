"""Which blocks count: named by a manifest, or compacted from such."""

import json
from typing import Any

from bucket.blocks import Block, BlockCatalog, BlockKind, is_block_name, superseded
from bucket.layout import DELETION_MARK, block_key
from bucket.manifest import BlockEntry
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from tests.bucket.manifests import make_manifest

A, B, C, D = (f"01HF7Z00000000000000000{letter * 3}" for letter in "ABCD")


def put_meta(bucket: MemoryBucket, ulid: str, forebay: dict[str, Any] | None, *sources: str) -> None:
    meta = {
        "ulid": ulid,
        "minTime": 10,
        "maxTime": 20,
        "stats": {"numSamples": 3, "numSeries": 2},
        "compaction": {"level": 1, "sources": sources or [ulid]},
        "version": 1,
        "thanos": {
            "labels": {"tenant_id": "t"},
            "downsample": {"resolution": 0},
            "files": [{"rel_path": "index", "size_bytes": 5}, {"rel_path": "meta.json"}],
            "extensions": {"forebay": forebay} if forebay else None,
        },
    }
    bucket.put(block_key(ulid, "meta.json"), json.dumps(meta).encode())


def of_segment(start: int) -> dict[str, Any]:
    return {"log_id": "log", "partition": 0, "start": start, "end": start + 1, "tenant": "t", "window": 0}


def test_every_kind_is_told_apart() -> None:
    bucket = MemoryBucket()
    entry = BlockEntry(ulid=A, tenant="t", window=0, min_time=10, max_time=19, series=2, samples=3, files=())
    ManifestStore(bucket).create(make_manifest(0, 1, log_id="log", partition=0, blocks=(entry,)))
    put_meta(bucket, A, of_segment(0))
    put_meta(bucket, B, of_segment(1))
    put_meta(bucket, C, {"tenant": "t", "window": 0, "compacted": True}, A)
    put_meta(bucket, D, None)
    bucket.put("01HF7Z00000000000000000EEE/index", b"")
    bucket.put("notes/readme", b"")
    catalog = BlockCatalog(bucket)
    kinds = {block.ulid[-1]: block.kind for block in catalog.every()}
    assert kinds == {
        "A": BlockKind.SEGMENT,
        "B": BlockKind.ORPHAN,
        "C": BlockKind.COMPACTED,
        "D": BlockKind.FOREIGN,
        "E": BlockKind.PARTIAL,
    }
    (first, second) = catalog.live()
    assert (first.tenant, first.size, first.samples, first.labels) == ("t", 5, 3, {"tenant_id": "t"})
    assert superseded([first, second]) == {A: C}


def test_an_orphan_is_live_once_its_manifest_stands() -> None:
    bucket = MemoryBucket()
    put_meta(bucket, A, of_segment(0))
    catalog = BlockCatalog(bucket)
    assert catalog.live() == []
    entry = BlockEntry(ulid=A, tenant="t", window=0, min_time=10, max_time=19, series=2, samples=3, files=())
    ManifestStore(bucket).create(make_manifest(0, 1, log_id="log", partition=0, blocks=(entry,)))
    assert [block.ulid for block in catalog.live()] == [A]


def test_a_damaged_meta_is_partial_and_a_deleted_block_is_gone() -> None:
    bucket = MemoryBucket()
    put_meta(bucket, A, {"tenant": "t", "window": 0, "compacted": True})
    bucket.put(block_key(B, "meta.json"), b"{")
    catalog = BlockCatalog(bucket)
    assert [(block.ulid, block.kind) for block in catalog.every()] == [
        (A, BlockKind.COMPACTED),
        (B, BlockKind.PARTIAL),
    ]
    bucket.delete(block_key(A, "meta.json"))
    bucket.delete(block_key(B, "meta.json"))
    assert list(catalog.every()) == []


def test_marks() -> None:
    bucket = MemoryBucket()
    put_meta(bucket, A, None)
    catalog = BlockCatalog(bucket)
    assert not catalog.is_marked(A)
    bucket.put(block_key(A, DELETION_MARK), b"{}")
    assert catalog.is_marked(A)


def block(ulid: str, *sources: str, tenant: str = "t", compacted: bool = True) -> Block:
    kind = BlockKind.COMPACTED if compacted else BlockKind.SEGMENT
    return Block(ulid, kind, tenant=tenant, sources=frozenset(sources or (ulid,)))


def test_what_supersedes_what() -> None:
    assert superseded([block(A, compacted=False), block(B, compacted=False)]) == {}
    assert superseded([block(A, compacted=False), block(B, A), block(C, A, D)]) == {A: B, B: C}
    assert superseded([block(A, compacted=False), block(B, A, tenant="other")]) == {}
    assert superseded([block(B, A), block(C, A)]) == {B: C}, "of twins one stands"


def test_names() -> None:
    assert is_block_name(A)
    assert not is_block_name("forebay")
    assert not is_block_name(A.lower())
    assert not is_block_name("8" + A[1:])
