"""Whatever is appended, reopened and read in whatever portions: the log is four lists."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.log import NewRecord
from tests.broker.conftest import EmbeddedHarness

_values = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=9), st.integers(1, 8000)),
)
_headers = st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple)
_records = st.builds(NewRecord, st.integers(0, 3), st.binary(max_size=12), _values, _headers)
_append = st.lists(_records, max_size=6)
_reopen = st.just("reopen")
_tick = st.integers(-5_000, 5_000)
_read = st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 50_000))
_steps = st.lists(st.one_of(_append, _append, _reopen, _tick, _read), max_size=25)

Step = Sequence[NewRecord] | str | int | tuple[int, int, int]


@settings(max_examples=40, deadline=None)
@given(_steps)
def test_is_a_list_per_partition(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_play(EmbeddedHarness(Path(directory)), steps))


async def _play(harness: EmbeddedHarness, steps: list[Step]) -> None:
    model: list[list[tuple[int, int, bytes, bytes, object]]] = [[] for _ in range(4)]
    latest = 0
    writer, reader = await harness.writer(), harness.reader()
    for step in steps:
        match step:
            case "reopen":
                await writer.close()
                writer = await harness.writer()
            case int():
                harness.clock.now += step
            case (int() as partition, int() as offset, int() as max_bytes):
                got = [
                    (r.offset, r.append_time, r.key, r.value, r.headers)
                    for r in reader.read(partition, offset, max_bytes)
                ]
                assert got == _portion(model[partition][offset:], max_bytes)
                assert reader.end_offset(partition) == len(model[partition])
            case list():
                await writer.append(step)
                latest = max(latest, harness.clock.now) if step else latest
                for new in step:
                    records = model[new.partition]
                    records.append((len(records), latest, new.key, new.value, new.headers))
    for partition in range(4):
        got = [(r.offset, r.append_time, r.key, r.value, r.headers) for r in reader.read(partition, 0, 1 << 30)]
        assert got == model[partition]
    await harness.close()


def _portion(
    records: list[tuple[int, int, bytes, bytes, object]], max_bytes: int
) -> list[tuple[int, int, bytes, bytes, object]]:
    taken = 0
    size = 0
    for record in records:
        size += len(record[3])
        if taken and size > max_bytes:
            break
        taken += 1
    return records[:taken]
