import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from bucket.audit import audit
from bucket.audit_report import AuditReport, Progress
from bucket.bucket import ObjectInfo
from bucket.layout import QUARANTINE, block_key, manifest_key, quarantine_key, rollup_key, settled_key
from bucket.manifest import BlockEntry, FileEntry, Ledger, Manifest, Quarantined
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from forebay.clock import ManualClock
from tests.bucket.manifests import TIME, WINDOW, make_manifest

A, B, C = (f"01HF7Z000000000000000000{letter}0" for letter in "ABC")
BIG, BIGGER = "01HF7Z000000000000000000P0", "01HF7Z000000000000000000Q0"


def put_block(
    bucket: MemoryBucket, ulid: str, extension: dict[str, Any], *, samples: int, **compaction: Any
) -> list[FileEntry]:
    """A block as an audit sees one: sizes and hashes, whatever the bytes mean."""
    contents = {"chunks/000001": ulid.encode() * 100, "index": b"index of " + ulid.encode()}
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    listed = [
        {"rel_path": path, "size_bytes": len(data), "hash": {"hashFunc": "SHA256", "value": hashes[path]}}
        for path, data in contents.items()
    ]
    meta = {
        "ulid": ulid,
        "stats": {"numSamples": samples},
        "compaction": {"level": 1, "sources": [ulid], **compaction},
        "thanos": {"files": [*listed, {"rel_path": "meta.json"}], "extensions": {"forebay": extension}},
    }
    contents["meta.json"] = msgspec.json.encode(meta)
    for path, data in contents.items():
        bucket.put(block_key(ulid, path), data)
    return [FileEntry(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in contents.items()]


def put_segment(
    bucket: MemoryBucket, start: int, end: int, ulid: str, *, samples: int = 100, **ledger: Any
) -> Manifest:
    extension = {"log_id": "log", "partition": 0, "start": start, "end": end, "tenant": "t", "window": TIME}
    files = put_block(bucket, ulid, extension, samples=samples)
    entry = BlockEntry(ulid, "t", TIME, TIME, TIME + WINDOW - 1, 1, samples, tuple(files))
    counts: dict[str, Any] = {
        "records": end - start,
        "samples": samples + 7,
        "stored": samples,
        "duplicate": 4,
        "rejected": {"old": 3},
    }
    counts |= {"exemplars": 0, "metadata": 0} | ledger
    manifest = make_manifest(start, end, blocks=(entry,), ledger={"t": Ledger(**counts)})
    return ManifestStore(bucket).create(manifest)


def put_output(
    bucket: MemoryBucket, ulid: str, sources: list[str], parents: list[str], read: int, *, duplicate: int = 0
) -> None:
    counts = {"read": read, "written": read - duplicate, "duplicate": duplicate, "conflicting": 0}
    extension = {"compacted": True, "tenant": "t", "window": TIME, "samples": counts}
    put_block(
        bucket, ulid, extension, samples=read - duplicate, sources=sources, parents=[{"ulid": one} for one in parents]
    )


def remove_block(bucket: MemoryBucket, ulid: str) -> None:
    for info in bucket.list(f"{ulid}/"):
        bucket.delete(info.key)


def damage(bucket: MemoryBucket, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    tree = msgspec.json.decode(bucket.get(key))
    change(tree)
    bucket.put(key, msgspec.json.encode(tree))


@pytest.fixture
def bucket(clock: ManualClock) -> MemoryBucket:
    """Three segments of one partition with a block each."""
    bucket = MemoryBucket(clock)
    for number, ulid in enumerate([A, B, C]):
        put_segment(bucket, number * 10, number * 10 + 10, ulid)
    return bucket


def run(bucket: MemoryBucket, *, deep: bool = False) -> AuditReport:
    return audit(bucket, now_ms=TIME + 5000, deep=deep)


def found(bucket: MemoryBucket, *, deep: bool = False) -> list[tuple[str, str]]:
    report = run(bucket, deep=deep)
    assert report.ok == (not report.discrepancies)
    assert all(one.hint and one.message for one in report.discrepancies)
    return [(one.code, one.where) for one in report.discrepancies]


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_bucket_is_sound(bucket: MemoryBucket, deep: bool) -> None:  # noqa: FBT001 - both are asked for
    report = run(bucket, deep=deep)
    assert report.ok
    assert report.notes == ()
    (row,) = report.partitions
    assert (row.log_id, row.partition, row.segments, row.start, row.end) == ("log", 0, 3, 0, 30)
    assert (row.records, row.samples, row.stored, row.duplicate, row.rejected) == (30, 321, 300, 12, {"old": 9})
    assert (report.totals.blocks, report.totals.rejected, report.totals.files) == (3, 9, 9)
    stored = sum(info.size for info in bucket.list("") if not info.key.startswith("forebay/"))
    assert report.totals.hashed_bytes == (stored if deep else 0)


def test_an_empty_bucket_is_sound() -> None:
    assert run(MemoryBucket()).ok


def test_a_missing_manifest_is_a_gap(bucket: MemoryBucket) -> None:
    bucket.delete(manifest_key("log", 0, 10))
    assert found(bucket) == [("chain-gap", manifest_key("log", 0, 10))]  # what is to be restored


def test_a_manifest_that_vanishes_during_the_audit_is_named_and_the_rest_is_audited(bucket: MemoryBucket) -> None:
    bucket.delete(block_key(C, "index"))

    def remove_the_second(progress: Progress) -> None:
        if progress == ("manifests", 1, 0):
            bucket.delete(manifest_key("log", 0, 10))

    report = audit(bucket, now_ms=TIME, progress=remove_the_second)
    assert [(one.code, one.where) for one in report.discrepancies] == [
        ("manifest-vanished", manifest_key("log", 0, 10)),
        ("file-missing", f"{C}/index"),
    ]
    assert report.partitions[0].segments == 2


def test_a_roll_up_that_vanishes_during_the_audit_is_named(bucket: MemoryBucket) -> None:
    manifests = ManifestStore(bucket)
    for _ in range(2):  # the second removes what the first has rolled up
        manifests.roll_up("log", 0, keep=1, size=1)
    second = rollup_key("log", 0, 10, 20)

    def remove_the_second(progress: Progress) -> None:
        if progress == ("manifests", 1, 0):
            bucket.delete(second)

    report = audit(bucket, now_ms=TIME, progress=remove_the_second)
    assert [(one.code, one.where) for one in report.discrepancies] == [("manifest-vanished", second)]
    assert [(note.code, note.where, note.age) for note in run(bucket).notes] == [("orphan", f"{B}/", 5000)]


def test_two_chains_overlap(bucket: MemoryBucket) -> None:
    ManifestStore(bucket).create(make_manifest(15, 20))
    assert found(bucket) == [("chain-overlap", manifest_key("log", 0, 15))]


def test_a_manifest_that_cannot_be_read_is_named_and_the_rest_is_audited(bucket: MemoryBucket) -> None:
    bucket.put(manifest_key("log", 0, 10), b"{")
    bucket.delete(block_key(C, "index"))
    assert found(bucket) == [("manifest-corrupt", manifest_key("log", 0, 10)), ("file-missing", f"{C}/index")]
    assert run(bucket).notes == ()


def test_a_changed_recipe_is_seen(bucket: MemoryBucket) -> None:
    key = manifest_key("log", 0, 10)
    damage(bucket, key, lambda tree: tree["recipe"].update(window=1))
    assert found(bucket) == [("recipe-digest", key)]


def test_a_ledger_that_does_not_balance_is_seen(bucket: MemoryBucket) -> None:
    put_segment(bucket, 30, 40, BIG, duplicate=5)
    assert found(bucket) == [("ledger-unbalanced", manifest_key("log", 0, 30))]


def test_stored_samples_that_no_block_has_are_seen(bucket: MemoryBucket) -> None:
    put_segment(bucket, 30, 40, BIG, samples=100, stored=99, duplicate=5)
    assert found(bucket) == [("ledger-stored", manifest_key("log", 0, 30))]


def test_a_block_of_a_tenant_without_ledger_is_seen(bucket: MemoryBucket) -> None:
    damage(bucket, manifest_key("log", 0, 0), lambda tree: tree["ledger"].clear())
    assert found(bucket) == [("ledger-stored", manifest_key("log", 0, 0))]


def test_a_block_named_twice_is_seen(bucket: MemoryBucket) -> None:
    entry = next(ManifestStore(bucket).chain("log", 0)).blocks[0]
    ledger = Ledger(records=1, samples=100, stored=100, duplicate=0, rejected={}, exemplars=0, metadata=0)
    ManifestStore(bucket).create(make_manifest(30, 40, blocks=(entry,), ledger={"t": ledger}))
    assert ("block-named-twice", manifest_key("log", 0, 30)) in found(bucket)


def test_a_missing_block_is_seen(bucket: MemoryBucket) -> None:
    remove_block(bucket, B)
    assert found(bucket) == [("block-missing", f"{B}/")]


@pytest.mark.parametrize("path", ["chunks/000001", "index", "meta.json"])
def test_a_missing_file_is_seen(bucket: MemoryBucket, path: str) -> None:
    bucket.delete(block_key(B, path))
    assert found(bucket) == [("file-missing", f"{B}/{path}")]


@pytest.mark.parametrize("path", ["chunks/000001", "index"])
def test_a_file_cut_short_is_seen(bucket: MemoryBucket, path: str) -> None:
    key = block_key(B, path)
    bucket.put(key, bucket.get(key)[:-1])
    assert found(bucket) == [("file-size", key)]


def test_a_flipped_bit_is_seen_by_a_deep_audit_alone(bucket: MemoryBucket) -> None:
    key = block_key(B, "chunks/000001")
    data = bytearray(bucket.get(key))
    data[77] ^= 1
    bucket.put(key, bytes(data))
    assert found(bucket) == []
    assert found(bucket, deep=True) == [("file-hash", key)]


def test_a_meta_of_another_segment_is_seen(bucket: MemoryBucket) -> None:
    key = block_key(B, "meta.json")
    bucket.put(key, bucket.get(key).replace(b'"start":10', b'"start":11'))
    assert found(bucket) == [("block-meta", key)]
    bucket.put(key, b"x" * bucket.stat(key).size)
    assert found(bucket) == [("block-meta", key)]


def test_a_superseded_block_may_go(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, B], [A, B], 200, duplicate=30)
    assert found(bucket, deep=True) == []
    assert [note.code for note in run(bucket).notes] == ["superseded", "superseded"]
    bucket.delete(block_key(A, "meta.json"))
    remove_block(bucket, B)
    assert found(bucket, deep=True) == []
    assert (run(bucket).totals.superseded, run(bucket).totals.compacted) == (2, 1)


def test_an_output_of_outputs_holds_what_they_held(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, B], [A, B], 200, duplicate=30)
    put_output(bucket, BIGGER, [A, B, C], [BIG, C], 270)
    for ulid in (A, B, C):
        remove_block(bucket, ulid)
    assert found(bucket, deep=True) == []
    remove_block(bucket, BIG)
    assert found(bucket, deep=True) == []
    remove_block(bucket, BIGGER)
    assert found(bucket) == [("block-missing", f"{ulid}/") for ulid in (A, B, C)]


def test_an_output_that_is_not_whole_replaces_nothing(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, B], [A, B], 200)
    bucket.delete(block_key(BIG, "meta.json"))
    remove_block(bucket, A)
    assert found(bucket) == [("block-missing", f"{A}/")]
    assert [note.code for note in run(bucket).notes] == ["partial"]


def test_a_damaged_output_is_seen(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, B], [A, B], 200)
    key = block_key(BIG, "index")
    bucket.put(key, bucket.get(key)[::-1])
    assert found(bucket) == []
    assert found(bucket, deep=True) == [("file-hash", key)]
    bucket.delete(key)
    assert found(bucket) == [("file-missing", key)]


def test_samples_lost_in_a_merge_are_seen(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, B], [A, B], 199)
    key = block_key(BIG, "meta.json")
    assert found(bucket) == [("compaction-samples", key)]
    put_output(bucket, BIG, [A, B], [A, B], 200)
    damage(bucket, key, lambda tree: tree["stats"].update(numSamples=150))
    assert found(bucket) == [("compaction-samples", key)]
    put_output(bucket, BIG, [A, B], [A, B], 200)
    damage(bucket, key, lambda tree: tree["thanos"]["extensions"]["forebay"]["samples"].update(duplicate=1))
    assert found(bucket) == [("compaction-samples", key)]
    damage(bucket, key, lambda tree: tree["thanos"]["extensions"]["forebay"].pop("samples"))
    assert found(bucket) == [("compaction-samples", key)]


def test_a_merge_of_what_was_never_published_is_seen(bucket: MemoryBucket) -> None:
    put_output(bucket, BIG, [A, BIGGER], [A, BIGGER], 200)
    assert found(bucket) == [("compaction-source", block_key(BIG, "meta.json"))]


def test_what_is_unusual_and_not_wrong_is_noted(bucket: MemoryBucket) -> None:
    store = ManifestStore(bucket)
    poison = Quarantined(offset=41, tenant="t", reason="truncated")
    store.create(msgspec.structs.replace(make_manifest(30, 50, gap=(30, 40)), quarantined=(poison,)))
    bucket.put(quarantine_key("log", 0, 41), b"{}")
    put_block(bucket, BIG, {"log_id": "log", "partition": 0, "start": 60, "end": 70}, samples=1)
    bucket.put(block_key(BIGGER, "chunks/000001"), b"")
    report = run(bucket)
    assert report.ok
    assert [note.code for note in report.notes] == ["lost-offsets", "quarantined", "orphan", "partial"]
    (row,) = report.partitions
    assert (row.lost_offsets, row.quarantined, row.end) == (10, 1, 50)


def test_poison_is_kept_or_settled_or_lost(bucket: MemoryBucket) -> None:
    poison = tuple(Quarantined(offset=offset, tenant="t", reason="truncated") for offset in (31, 32, 33, 34, 35))
    ManifestStore(bucket).create(msgspec.structs.replace(make_manifest(30, 50), quarantined=poison))
    bucket.put(quarantine_key("log", 0, 31), b"{}")
    bucket.put(settled_key("log", 0, 32, "dropped"), b"{}")
    bucket.put(settled_key("log", 0, 33, "replayed"), b"{}")
    bucket.put(quarantine_key("log", 0, 33), b"{}")  # not removed yet
    bucket.put(quarantine_key("log", 1, 34), b"{}")  # another partition's
    for outcome in ("dropped", "replayed"):
        bucket.put(settled_key("log", 0, 35, outcome), b"{}")
    report = run(bucket)
    assert [(each.code, each.where) for each in report.discrepancies] == [
        ("quarantine-missing", quarantine_key("log", 0, 34))
    ]
    assert [(note.code, note.where) for note in report.notes] == [
        ("quarantined", quarantine_key("log", 0, 31)),
        ("quarantine-dropped", settled_key("log", 0, 32, "dropped")),
        ("quarantine-replayed", settled_key("log", 0, 33, "replayed")),
        ("quarantine-replayed", settled_key("log", 0, 35, "replayed")),
    ]
    assert [note.age is None for note in report.notes] == [True, False, False, False]


def test_poison_settled_while_the_audit_lists_is_not_lost(bucket: MemoryBucket) -> None:
    """The listing passes the tombstone's place before it is there, and the record's after it has gone."""

    class Racing(MemoryBucket):
        first = True

        def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
            if prefix.startswith(QUARANTINE) and self.first:
                self.first = False
                return iter(())
            return super().list(prefix, start_after)

    racing = Racing()
    poison = (Quarantined(offset=31, tenant="t", reason="truncated"),)
    ManifestStore(racing).create(msgspec.structs.replace(make_manifest(30, 50), quarantined=poison))
    racing.put(settled_key("log", 0, 31, "dropped"), b"{}")
    assert [note.code for note in run(racing).notes] == ["quarantine-dropped"]


def test_foreign_blocks_are_nobodys_business(bucket: MemoryBucket) -> None:
    bucket.put(block_key(BIG, "meta.json"), msgspec.json.encode({"ulid": BIG, "version": 1}))
    several: list[Any] = [[1], {"forebay": 5}, {"other": {}}, None]
    for extensions in several:
        bucket.put(
            block_key(BIGGER, "meta.json"), msgspec.json.encode({"ulid": BIGGER, "thanos": {"extensions": extensions}})
        )
        assert (run(bucket).ok, run(bucket).notes) == (True, ())


def test_a_rolled_up_chain_is_audited_as_before(bucket: MemoryBucket) -> None:
    before = run(bucket, deep=True)
    for _ in range(2):
        ManifestStore(bucket).roll_up("log", 0, keep=1, size=1)
    assert len(list(bucket.list("forebay/segments/"))) == 1
    assert run(bucket, deep=True) == before
    (key, _) = [info.key for info in bucket.list("forebay/rollups/")]
    bucket.put(key, b"")
    assert found(bucket)[0] == ("manifest-corrupt", key)


def test_progress_ends_where_it_should(bucket: MemoryBucket) -> None:
    seen: list[Progress] = []
    audit(bucket, now_ms=TIME, progress=seen.append)
    assert seen == [Progress("manifests", n, 0) for n in (1, 2, 3)] + [Progress("blocks", n, 3) for n in (1, 2, 3)]


def test_the_report_is_json(bucket: MemoryBucket) -> None:
    remove_block(bucket, A)
    report = run(bucket)
    assert msgspec.json.decode(msgspec.json.encode(report), type=AuditReport) == report
