"""kill -9 while appending: what was acknowledged is there, with its bytes, and once."""

import random
import subprocess
import sys
import time
from pathlib import Path

from broker.embedded_reader import EmbeddedReader
from broker.log import Record
from tests.broker.appender import value_of
from tests.broker.conftest import EmbeddedHarness
from tests.broker.contract import read_all

ROUNDS = 15
ROOT = Path(__file__).parents[2]


def start(directory: Path, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.broker.appender", str(directory), run]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def names(record: Record) -> str:
    return record.value.split(b" ", 1)[0].decode()


def test_acknowledged_records_survive_every_kill(tmp_path: Path) -> None:
    random.seed(7)
    directory = tmp_path / "log"
    acknowledged: set[str] = set()
    log_ids: set[str] = set()
    for run in range(ROUNDS):
        with start(directory, f"{run}") as appender:
            assert appender.stdout is not None
            first = appender.stdout.readline()
            time.sleep(random.uniform(0.0, 0.15))
            appender.kill()
            answered = (first + appender.stdout.read()).splitlines()
        assert answered
        for line in answered:
            acknowledged.update(line.split())
        reader = EmbeddedReader(directory)
        log_ids.add(reader.log_id)
        found: list[str] = []
        for partition in range(4):
            records = read_all(reader, partition)
            assert [record.offset for record in records] == list(range(reader.end_offset(partition)))
            for before, record in zip([records[0], *records], records, strict=False):
                assert record.append_time >= before.append_time
                assert not record.damaged
                assert record.value == value_of(names(record))
                assert names(record).endswith(f"-{partition}")
            found += map(names, records)
        reader.close()
        assert len(found) == len(set(found))
        assert acknowledged <= set(found)
    assert len(log_ids) == 1
    assert len(acknowledged) > ROUNDS * 4 * 4


async def test_a_reader_in_another_process_sees_what_was_acknowledged(harness: EmbeddedHarness) -> None:
    """Offsets without a gap and whole values, while the other process commits and checkpoints."""
    with start(harness.directory, "beside") as appender:
        assert appender.stdout is not None
        appender.stdout.readline()
        reader = harness.reader()
        position = [0] * 4
        seen: set[str] = set()
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            for partition in range(4):
                for record in reader.read(partition, position[partition], 100_000):
                    assert record.offset == position[partition]
                    assert record.value == value_of(names(record))
                    position[partition] += 1
                    seen.add(names(record))
        appender.kill()
        answered = {name for line in appender.stdout.read().splitlines() for name in line.split()}
    for partition in range(4):
        seen.update(map(names, read_all(reader, partition, position[partition])))
    assert len(answered) > 100
    assert answered <= seen
