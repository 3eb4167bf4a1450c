import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bucket.blocks import Block, BlockKind, SegmentOf
from compactor.plan import find_covers, in_order, plan
from compactor.settings import WINDOW, CompactorSettings
from consumers.settings import WINDOW as CONSUMERS_WINDOW
from tsdb import ulid

DELAY = int(CompactorSettings().close_delay)


def name(time: int, number: int) -> str:
    return ulid.encode(time, number.to_bytes(10))


def segment(time: int, partition: int, start: int, *, tenant: str = "t", window: int = 0, cluster: str = "a") -> Block:
    found = name(time, partition << 40 | start)
    return Block(
        ulid=found,
        kind=BlockKind.SEGMENT,
        tenant=tenant,
        window=window,
        labels={"tenant_id": tenant, "cluster": cluster},
        level=1,
        sources=frozenset({found}),
        segment=SegmentOf("log", partition, start, start + 1),
    )


def output(number: int, *parts: Block) -> Block:
    return Block(
        ulid=name(max(ulid.parse(part.ulid)[0] for part in parts), number),
        kind=BlockKind.COMPACTED,
        tenant=parts[0].tenant,
        window=parts[0].window,
        labels=parts[0].labels,
        level=1 + max(part.level for part in parts),
        sources=frozenset().union(*(part.sources for part in parts)),
    )


def test_the_window_is_the_consumers() -> None:
    assert WINDOW == CONSUMERS_WINDOW


def test_a_window_is_closed_one_delay_after_its_end() -> None:
    blocks = [segment(1, 0, 0), segment(2, 0, 1)]
    assert plan(blocks, (), WINDOW + DELAY - 1, DELAY) == []
    (job,) = plan(blocks, (), WINDOW + DELAY, DELAY)
    assert (job.tenant, job.window, job.sources) == ("t", 0, tuple(blocks))


def test_one_block_alone_is_no_job() -> None:
    assert plan([segment(1, 0, 0)], (), 1 << 60, DELAY) == []


def test_only_live_raw_blocks_of_one_stream_are_merged() -> None:
    blocks = [
        segment(1, 0, 0),
        segment(2, 0, 1, tenant="u"),
        segment(3, 0, 2, window=WINDOW),
        segment(4, 0, 3, cluster="b"),
        Block(name(5, 0), BlockKind.PARTIAL),
        Block(name(6, 0), BlockKind.FOREIGN, tenant="t", labels={"tenant_id": "t", "cluster": "a"}),
        Block(name(7, 0), BlockKind.COMPACTED, "t", labels={"tenant_id": "t", "cluster": "a"}, resolution=300_000),
    ]
    assert plan(blocks, (), 1 << 60, DELAY) == []


def test_oldest_windows_come_first() -> None:
    blocks = [segment(9 - n, 0, n, window=n // 2 * WINDOW) for n in range(6)]
    assert [job.window for job in plan(blocks, (), 1 << 60, DELAY)] == [0, WINDOW, 2 * WINDOW]


def test_outputs_win_over_segments_and_segments_in_the_order_of_the_log() -> None:
    first, second, late, back = segment(10, 0, 0), segment(20, 0, 1), segment(30, 0, 2), segment(25, 0, 3)
    elsewhere = segment(15, 1, 0), segment(28, 1, 1), segment(31, 1, 2)
    made = output(7, first, second)
    assert in_order([back, late, *elsewhere, made]) == (made, elsewhere[0], elsewhere[1], late, back, elsewhere[2])


def test_what_is_in_an_output_is_covered_by_it() -> None:
    a, b, c = (segment(n, 0, n) for n in range(3))
    ab = output(7, a, b)
    abc = output(8, ab, c)
    assert set(find_covers([a, b, c, ab])) == {a.ulid, b.ulid}
    assert set(find_covers([a, b, c, ab, abc])) == {a.ulid, b.ulid, c.ulid, ab.ulid}
    assert plan([a, b, c, ab], find_covers([a, b, c, ab]), 1 << 60, DELAY)[0].sources == (ab, c)


def test_two_outputs_that_cross_are_merged() -> None:
    a, b, c = (segment(n, 0, n) for n in range(3))
    crossing = [output(7, a, b), output(8, a, c)]
    covers = find_covers([a, b, c, *crossing])
    (job,) = plan([a, b, c, *crossing], covers, 1 << 60, DELAY)
    assert job.sources == tuple(sorted(crossing, key=lambda block: block.ulid))


segments = st.lists(
    st.builds(
        lambda time, partition, start, tenant, window: segment(time, partition, start, tenant=tenant, window=window),
        st.integers(0, 50),
        st.integers(0, 2),
        st.integers(0, 20),
        st.sampled_from(["t", "u"]),
        st.sampled_from([0, WINDOW]),
    ),
    max_size=14,
    unique_by=lambda block: (block.segment, block.ulid),
)


@settings(max_examples=150, deadline=None)
@given(segments, st.data())
def test_the_plan_is_a_function_of_what_there_is_and_reaches_every_block_once(
    blocks: list[Block], data: st.DataObject
) -> None:
    blocks = list({block.ulid: block for block in blocks}.values())
    for number in range(data.draw(st.integers(0, 3))):
        stream = [b for b in blocks if (b.tenant, b.window) == ("t", 0)]
        if stream:
            parts = data.draw(st.lists(st.sampled_from(stream), min_size=1, max_size=4))
            blocks.append(output(1000 + number, *parts))
    shuffled = list(blocks)
    random.Random(data.draw(st.integers())).shuffle(shuffled)
    covers = find_covers(blocks)
    assert find_covers(shuffled).keys() == covers.keys()
    jobs = plan(blocks, covers, 1 << 60, DELAY)
    assert plan(shuffled, covers, 1 << 60, DELAY) == jobs
    planned = [block.ulid for job in jobs for block in job.sources]
    assert len(set(planned)) == len(planned)
    assert not set(planned) & covers.keys()
    by_ulid = {block.ulid: block for block in blocks}
    for covered, cover in covers.items():
        assert by_ulid[covered].sources <= by_ulid[cover].sources
    # No circle: whatever is removed, what stands holds everything.
    standing = frozenset().union(*(b.sources for b in blocks if b.ulid not in covers))
    assert standing == frozenset().union(*(b.sources for b in blocks))
    for job in jobs:
        starts: dict[int, int] = {}
        for block in job.sources:
            if block.segment is not None:
                assert starts.get(block.segment.partition, -1) <= block.segment.start
                starts[block.segment.partition] = block.segment.start
