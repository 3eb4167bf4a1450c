"""The same log, built by other processes with other threads, hash seeds and batches: the same objects."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bucket.memory import MemoryBucket
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects, one, stored

PROGRAM = """
import hashlib, json, sys
from pathlib import Path
from bucket.memory import MemoryBucket
from consumers.settings import ConsumerSettings
from forebay.units import Duration
from tests.consumers.memory_log import MemoryLog
from tests.consumers.rehearsal import SLOT, START, Rehearsal, objects
from tests.consumers.head_oracle import Entry, named, record

threads, batch, directory = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
log = MemoryLog(partitions=2)
for number in range(60):
    at = START + number * SLOT // 9
    entries = [
        Entry(named(job=f"j{series}", odd=str(number % 3)), [(at - back * 3_600_000, number) for back in (0, 2, 1)])
        for series in range(20)
    ]
    log.append(number % 2, record(entries), at, tenant=b"tenant%d" % (number % 5))
world = Rehearsal(log, MemoryBucket(), directory)
world.external_labels = {"b": "1", "a": "2", "c": "3"}
world.settings = ConsumerSettings(build_threads=threads, publish_threads=threads, poll_timeout=Duration(1))
world.run(batch=batch)
print(json.dumps({key: hashlib.sha256(data).hexdigest() for key, data in objects(world.bucket).items()}))
"""
ROOT = Path(__file__).parent.parent.parent


def build(directory: Path, *, threads: int, seed: int, batch: int) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads), str(batch), str(directory)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_threads_hash_seeds_and_batches_change_no_name_and_no_byte(tmp_path: Path) -> None:
    single = build(tmp_path / "1", threads=1, seed=1, batch=1)
    four = build(tmp_path / "2", threads=4, seed=4242, batch=13)
    assert single == four
    assert len({key.split("/")[0] for key in single if key.endswith("meta.json")}) > 20


def test_a_brokers_clock_that_goes_back_changes_no_byte_between_restarts(tmp_path: Path) -> None:
    log = MemoryLog()
    for number in range(40):
        at = START + (number * SLOT // 7 if number % 11 < 8 else 0)  # back by minutes, and forth again
        log.append(0, one(START + number, number, job="x"), at)
    world, quiet = (Rehearsal(log, MemoryBucket(), tmp_path / name) for name in ("world", "quiet"))
    quiet.run()
    for most in (1, 2, 3, 5, 8):
        world.run(batch=3, stop_after=most)
    world.run()
    assert objects(world.bucket) == objects(quiet.bucket)
    assert any(manifest.last_append_time < manifest.first_append_time for manifest in world.chain())
    assert sorted(stored(world.bucket, world.chain(), tmp_path / "read").values()) == list(range(40))
