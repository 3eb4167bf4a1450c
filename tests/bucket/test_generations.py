"""Generations in force over the manifests that they replace."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucket import layout
from bucket.blocks import BlockCatalog, BlockKind
from bucket.faulty import FaultyBucket, Outcome, SeededFaults
from bucket.generations import Generation, Generations, Overtaken
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from bucket.memory import MemoryBucket
from bucket.rollups import ManifestCorrupt
from tests.bucket.manifests import make_chain, make_manifest

COUNT, LENGTH = 12, 10


def generation(number: int, *manifests: Manifest, retired: tuple[str, ...] = ()) -> Generation:
    return Generation("log", number, manifests, retired)


def rebuilt(start: int, end: int, label: str) -> Manifest:
    """Told apart by its recipe digest."""
    return msgspec.structs.replace(make_manifest(start, end), recipe_digest=label)


_RUNS = st.lists(st.integers(0, COUNT), min_size=2, max_size=5, unique=True).map(sorted)
"""Bounds of the manifests of one generation, in lengths."""


@settings(max_examples=60, deadline=None)
@given(st.lists(_RUNS, max_size=5), st.integers(1, 5), st.integers(1, 4))
def test_the_chain_is_what_came_last_at_each_offset(runs: list[list[int]], size: int, keep: int) -> None:
    """Generations of any runs of manifests over a chain that is partly rolled up, beside a list that is overwritten."""
    bucket = MemoryBucket()
    store = ManifestStore(bucket)
    model = make_chain(COUNT, LENGTH)
    for manifest in model:
        store.create(manifest)
    for _ in range(2):
        store.roll_up("log", 0, keep=keep, size=size)
    number = 0
    for run in runs:
        bounds = [bound * LENGTH for bound in run]
        edges = {edge for manifest in model for edge in (manifest.start, manifest.end)}
        if not {bounds[0], bounds[-1]} <= edges:
            continue  # a rebuild replaces whole manifests
        number += 1
        new = [rebuilt(start, end, f"{number}") for start, end in itertools.pairwise(bounds)]
        ManifestStore(bucket).generations.add(generation(number, *new))
        kept = [manifest for manifest in model if manifest.end <= bounds[0] or manifest.start >= bounds[-1]]
        model = sorted([*kept, *new], key=lambda manifest: manifest.start)
        for seen in (store, ManifestStore(bucket)):  # as it grows, and from the start
            assert list(seen.chain("log", 0)) == model
            assert seen.last("log", 0) == model[-1]
            for offset in range(0, COUNT * LENGTH, LENGTH):
                covering = next(manifest for manifest in model if manifest.start <= offset < manifest.end)
                assert seen.get("log", 0, offset) == covering
                assert seen.original("log", 0, offset) == make_manifest(offset, offset + LENGTH)
    assert list(store.partitions()) == [("log", 0)]


def test_blocks_are_named_and_retired_in_the_order_of_generations() -> None:
    bucket = MemoryBucket()
    first, second = Generations(bucket), Generations(bucket)
    first.add(generation(1, rebuilt(0, 10, "a"), retired=("X", "Y")))
    assert second.load().retired == {"X", "Y"}
    first.add(generation(2, retired=("Z",)))
    overlay = second.load()
    assert overlay.retired == first.load().retired == {"X", "Y", "Z"}
    assert second.load() is overlay  # nothing new, nothing read
    assert overlay.newest == {"log": 2}


def test_of_two_with_one_number_the_second_is_refused_and_a_lost_answer_is_not() -> None:
    bucket = MemoryBucket()
    mine = generation(1, rebuilt(0, 10, "mine"))
    faulty = Generations(FaultyBucket(bucket, SeededFaults(1, {"lose_answer": 1.0})))
    with pytest.raises(Exception, match="lose_answer"):
        faulty.add(mine)
    Generations(bucket).add(mine)
    with pytest.raises(Overtaken):
        Generations(bucket).add(generation(1, rebuilt(0, 10, "theirs")))


@pytest.mark.parametrize(
    ("number", "data", "said"),
    [
        (2, generation(2).encode(), "a generation is missing"),
        (1, generation(2).encode(), "not the one its key names"),
        (1, b"{}", "cannot be read"),
        (1, generation(1).encode().replace(b'"version":1', b'"version":2'), "newer format"),
    ],
)
def test_what_is_no_generation_is_named(number: int, data: bytes, said: str) -> None:
    bucket = MemoryBucket()
    bucket.put(layout.generation_key("log", number), data)
    with pytest.raises(ManifestCorrupt, match=said):
        Generations(bucket).load()


def test_a_generation_that_comes_between_two_looks_of_a_listing_counts_for_the_next_one() -> None:
    """A block of a manifest that is replaced just then is still listed as counting; the new one is not yet."""
    bucket = MemoryBucket()
    old, new = (f"01HF84HV4G2DJRHCDG7NXKA5K{last}" for last in "AB")
    for ulid in (old, new):
        ours = {"log_id": "log", "partition": 0, "start": 0, "end": 10, "tenant": "t", "window": 0}
        meta = {
            "ulid": ulid,
            "minTime": 0,
            "maxTime": 1,
            "compaction": {"level": 1, "sources": [ulid]},
            "thanos": {"extensions": {"forebay": ours}},
        }
        bucket.put(layout.block_key(ulid, layout.META), msgspec.json.encode(meta))
    entry = {"tenant": "t", "window": 0, "min_time": 0, "max_time": 0, "series": 1, "samples": 1, "files": []}
    named = [
        msgspec.convert(msgspec.to_builtins(make_manifest(0, 10)) | {"blocks": [entry | {"ulid": ulid}]}, Manifest)
        for ulid in (old, new)
    ]
    ManifestStore(bucket).create(named[0])

    class Swap:
        def next(self, operation: str, key: str) -> Outcome:
            if operation == "list_dirs" and not bucket_has_generation():
                Generations(bucket).add(generation(1, named[1], retired=(old,)))
            return Outcome()

    def bucket_has_generation() -> bool:
        return any(True for _ in bucket.list(layout.GENERATIONS))

    catalog = BlockCatalog(FaultyBucket(bucket, Swap()))
    kinds = [{block.ulid: block.kind for block in catalog.every()} for _ in range(2)]
    assert kinds == [
        {old: BlockKind.SEGMENT, new: BlockKind.ORPHAN},
        {old: BlockKind.REPLACED, new: BlockKind.SEGMENT},
    ]
    assert [block.ulid for block in catalog.live()] == [new]
