"""Whatever the log, the crashes and the batches: a chain without gap or overlap, and every sample accounted for."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bucket.faulty import Crash, CrashAtWrite, FaultyBucket
from bucket.memory import MemoryBucket
from tests.consumers.head_oracle import Entry, named, record
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, stored

DAY = 86_400_000

_SAMPLES = st.tuples(
    st.integers(0, 3),  # series
    st.sampled_from([0, 1, 1000, -7_200_000, -DAY, -30 * DAY, 3_600_000]),  # time, against append time
    st.integers(0, 2),  # value
)
_RECORDS = st.one_of(
    st.none(),  # poison
    st.tuples(st.sampled_from([b"a", b"b"]), st.lists(_SAMPLES, max_size=5)),
)
_LOGS = st.lists(st.tuples(_RECORDS, st.sampled_from([0, 1, SLOT // 3, SLOT, 5 * SLOT])), max_size=12)


@settings(max_examples=50, deadline=None)
@given(_LOGS, st.integers(1, 5), st.integers(1, 10), st.lists(st.integers(0, 8), max_size=3))
def test_the_chain_is_whole_and_its_ledgers_balance(
    steps: list[tuple[tuple[bytes, list[tuple[int, int, int]]] | None, int]], batch: int, room: int, crashes: list[int]
) -> None:
    log, time = MemoryLog(), START
    sent: Counter[str] = Counter()
    for content, wait in steps:
        time += wait
        if content is None:
            log.append(0, b"\xff\xff", time)
            continue
        key, samples = content
        sent[key.decode()] += len(samples)
        entries = [Entry(named(s=str(series)), [(time + shift, value)]) for series, shift, value in samples]
        log.append(0, record(entries), time, tenant=key)
    with tempfile.TemporaryDirectory() as directory:
        world = Rehearsal(log, MemoryBucket(), Path(directory) / "staging")
        world.max_bytes(room * 50)
        inner = world.bucket
        for crash in crashes:
            world.bucket = FaultyBucket(inner, CrashAtWrite(crash))
            try:
                world.run(batch=batch)
            except Crash:
                continue
        world.bucket = inner
        world.run(batch=batch)
        chain = world.chain()
        quiet = Rehearsal(log, MemoryBucket(), Path(directory) / "quiet")
        quiet.segment = world.segment
        quiet.run(batch=100)
        assert objects(inner) == objects(quiet.bucket)

        assert [manifest.start for manifest in chain] == [0, *(manifest.end for manifest in chain)][: len(chain)]
        assert (chain[-1].end if chain else 0) == log.end(0)
        assert sum(len(manifest.quarantined) for manifest in chain) == sum(content is None for content, _ in steps)
        ledgers = [(tenant, ledger) for manifest in chain for tenant, ledger in manifest.ledger.items()]
        assert all(ledger.balances() for _, ledger in ledgers)
        accounted: Counter[str] = Counter()
        for tenant, ledger in ledgers:
            accounted[tenant] += ledger.samples
        assert +accounted == +sent
        for manifest in chain:
            held = stored(inner, [manifest], Path(directory) / str(manifest.start))
            assert len(held) == sum(ledger.stored for ledger in manifest.ledger.values())
